/** A live session: sound goes up, frames come back and are handed out when their sound plays. */
import type { Channel } from './avatar';

export interface LiveOptions {
  avatar?: string;
  method?: string;
  options?: Record<string, unknown>;
  /** Largest time from a sound to its frame in seconds, or `auto`. */
  delay?: number | 'auto';
  seed?: number;
  /** Play the microphone back, delayed so that it fits the face. */
  echo?: boolean;
}

export interface Ready {
  session: string;
  fps: number;
  /** With `rest` the profile that `attach` takes. */
  channels: Channel[];
  /** What the method waits for, and the delay at which no frame comes late. */
  delay_s: { algorithm: number; advice: number };
  rest: number[];
}

export interface Stats {
  rtf: number;
  queue_s: number;
  frames: number;
  /** Median time from a sound to the arrival of its frame over the last second, measured here. */
  delay_s?: number;
  /** Frames that came after their sound had been played, since the beginning. */
  late: number;
}

interface Events {
  ready: Ready;
  frame: Float32Array;
  stats: Stats;
  level: number;
  /** `behind` (by_s), `refused`, or `lost`: the connection is being built again. */
  warning: { code: string; by_s?: number };
  problem: { title?: string; detail?: string; remedy?: string };
  close: { code: number; reason: string };
}

export interface Live {
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): Live;
  /** Ask for the microphone and send it. Rejects when permission is refused. */
  microphone(deviceId?: string): Promise<void>;
  /** End of an utterance: the rest of the sound is answered, then the face rests. */
  flush(): void;
  /** Drop what has not been played and ease to rest. */
  interrupt(): void;
  /** Change options from the next window on. */
  set(options: Record<string, unknown>): void;
  close(): void;
}

interface Due {
  seconds: number;
  values: Float32Array;
}

const RATE = 16000;
/** Sound that is kept for a connection that comes back. */
const KEEP_S = 10;
/** How long the server keeps a session whose connection was lost. */
const RESUME_MS = 15000;
/** Codes with which the server ends a session for good. */
const FINAL = new Set([1000, 1001, 1008, 1011, 1013]);

/** Open a session at a URL such as `/live`. Call it from a click: browsers start sound only then. */
export function connect(url: string, options: LiveOptions = {}): Live {
  const context = new AudioContext({ sampleRate: RATE });
  const address = new URL(url, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  let socket: WebSocket;
  let session = '';
  let lostAt = 0; // when the connection was lost; 0: it stands
  let recent: Int16Array<ArrayBuffer>[] = []; // the last seconds of sound, sent again after a loss
  let sent = 0; // samples so far, those that a lost connection swallowed included
  const listeners: { [K in keyof Events]?: ((value: Events[K]) => void)[] } = {};
  const emit = <K extends keyof Events>(event: K, value: Events[K]) =>
    listeners[event]?.forEach((listener) => listener(value));
  const send = (message: object) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const delayNode = context.createDelay(5);
  if (options.echo) delayNode.connect(context.destination);
  let stream: MediaStream | undefined;
  let delay = 0.45; // until the server has given its advice
  let started: number | undefined; // time of the context at the first sample that was sent
  let queue: Due[] = [];
  let ages: number[] = [];
  let late = 0;
  let running = true;
  let fps = 25;

  function open() {
    socket = new WebSocket(address, 'motet.live.1');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => (session ? resume() : hello());
    socket.onmessage = ({ data }) => message(data as string | ArrayBuffer);
    socket.onclose = (event) => {
      if (running && session && !FINAL.has(event.code) && retry()) return;
      running = false;
      emit('close', { code: event.code, reason: event.reason });
    };
  }

  /** Try again for as long as the server keeps the session. */
  function retry(): boolean {
    lostAt ||= Date.now();
    if (Date.now() - lostAt > RESUME_MS) return false;
    emit('warning', { code: 'lost' });
    setTimeout(open, 500);
    return true;
  }

  const hello = () =>
    send({
      type: 'hello',
      rate: RATE,
      format: 's16',
      method: options.method ?? 'artalk',
      options: options.options ?? {},
      delay_s: options.delay ?? 'auto',
      avatar: options.avatar ?? 'house',
      echo: false,
      seed: options.seed ?? 0,
    });

  /** Go on in the session; the server forgets what it gets twice. */
  function resume() {
    const kept = recent.reduce((sum, piece) => sum + piece.length, 0);
    send({ type: 'resume', session, from_sample: sent - kept });
    recent.forEach((piece) => socket.send(piece));
    lostAt = 0;
  }

  function message(data: string | ArrayBuffer) {
    if (typeof data !== 'string') return receive(data);
    const { type, ...message } = JSON.parse(data);
    if (type === 'ready') {
      delay = message.delay_s.advice;
      fps = message.fps;
      delayNode.delayTime.value = delay;
      if (!session) requestAnimationFrame(hand);
      session = message.session;
    }
    if (type === 'stats') {
      const sorted = ages.sort((a, b) => a - b);
      ages = [];
      return emit('stats', { ...message, late, delay_s: sorted[sorted.length >> 1] });
    }
    emit(type === 'error' ? 'problem' : type, message.problem ?? message);
  }

  /** Frames: first_frame u32, first_sample u64, frames u16, channels u16, then float16 values. */
  function receive(buffer: ArrayBuffer) {
    const view = new DataView(buffer);
    const sample = Number(view.getBigUint64(4, true));
    const [count, width] = [view.getUint16(12, true), view.getUint16(14, true)];
    for (let f = 0; f < count; f++) {
      const values = new Float32Array(width);
      for (let c = 0; c < width; c++) values[c] = half(view.getUint16(16 + 2 * (f * width + c), true));
      const seconds = sample / RATE + f / fps;
      queue.push({ seconds, values });
      if (started !== undefined) {
        const age = context.currentTime - started - seconds;
        ages.push(age);
        if (age > delay) late += 1;
      }
    }
  }

  /** Hand out the newest frame whose delayed sound is playing now. */
  function hand() {
    if (!running) return;
    if (started !== undefined) {
      const now = context.currentTime - started - delay;
      let due: Due | undefined;
      while (queue.length && queue[0]!.seconds <= now) due = queue.shift();
      if (due) emit('frame', due.values);
    }
    requestAnimationFrame(hand);
  }

  function on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void) {
    (listeners[event] ??= [] as never[]).push(listener as never);
    return live;
  }

  async function microphone(deviceId?: string) {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { deviceId, echoCancellation: !options.echo, channelCount: 1 },
    });
    await context.resume();
    await context.audioWorklet.addModule(new URL('/capture.js', address.href.replace(/^ws/, 'http')));
    const source = context.createMediaStreamSource(stream);
    const capture = new AudioWorkletNode(context, 'motet-capture', { numberOfOutputs: 0 });
    source.connect(capture);
    source.connect(delayNode);
    capture.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
      if (!session) return; // what is said before the server is ready is not heard
      started ??= context.currentTime - data.length / RATE;
      let peak = 0;
      const samples = Int16Array.from(data, (v) => {
        peak = Math.max(peak, Math.abs(v));
        return Math.max(-1, Math.min(1, v)) * 32767;
      });
      recent.push(samples);
      sent += samples.length;
      while (recent.length * data.length > KEEP_S * RATE) recent.shift();
      if (socket.readyState === WebSocket.OPEN && !lostAt) socket.send(samples);
      emit('level', peak);
    };
  }

  function close() {
    running = false;
    stream?.getTracks().forEach((track) => track.stop());
    socket.close(1000);
    void context.close();
  }

  const interrupt = () => {
    queue = [];
    send({ type: 'interrupt' });
  };
  open();
  const live: Live = {
    on,
    microphone,
    close,
    interrupt,
    flush: () => send({ type: 'flush' }),
    set: (changed) => send({ type: 'set', options: changed }),
  };
  return live;
}

/** The number of a float16. */
export function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}
