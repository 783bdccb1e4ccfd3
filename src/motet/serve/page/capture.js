// Audio thread: hands the microphone's samples to the page, 20 ms at a time.
const PIECE = Math.round(sampleRate * 0.02);

registerProcessor(
  'motet-capture',
  class extends AudioWorkletProcessor {
    piece = new Float32Array(PIECE);
    filled = 0;

    process([input]) {
      for (const sample of input[0] ?? []) {
        this.piece[this.filled++] = sample;
        if (this.filled === PIECE) {
          this.port.postMessage(this.piece);
          this.piece = new Float32Array(PIECE);
          this.filled = 0;
        }
      }
      return true;
    }
  },
);
