import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { connect, half } from '../../src/player/live';

test('float16 values, small ones and signs included', () => {
  expect(half(0x3c00)).toBe(1);
  expect(half(0xc000)).toBe(-2);
  expect(half(0x3555)).toBeCloseTo(1 / 3, 3);
  expect(half(0x0001)).toBeCloseTo(2 ** -24);
  expect(half(0x7c00)).toBe(Infinity);
  expect(half(0x7e00)).toBeNaN();
});

/** What the browser gives a page, as far as a session uses it. */
class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readyState = 0;
  sent: (string | Int16Array)[] = [];
  onopen = () => {};
  onmessage = (_: { data: string }) => {};
  onclose = (_: { code: number; reason: string }) => {};
  constructor() {
    Socket.all.push(this);
  }
  send(message: string | Int16Array) {
    this.sent.push(message);
  }
  close() {}
  opens() {
    this.readyState = Socket.OPEN;
    this.onopen();
  }
  answers(message: object) {
    this.onmessage({ data: JSON.stringify(message) });
  }
  lost(code: number) {
    this.readyState = 3;
    this.onclose({ code, reason: '' });
  }
}

let capture: { port: { onmessage: (event: { data: Float32Array }) => void } };

beforeEach(() => {
  vi.useFakeTimers();
  Socket.all = [];
  vi.stubGlobal('location', { href: 'http://127.0.0.1/' });
  vi.stubGlobal('WebSocket', Socket);
  vi.stubGlobal('requestAnimationFrame', () => 0);
  class Context {
    currentTime = 0;
    destination = {};
    audioWorklet = { addModule: async () => {} };
    createDelay = () => ({ delayTime: { value: 0 }, connect: () => {} });
    createMediaStreamSource = () => ({ connect: () => {} });
    resume = async () => {};
    close = async () => {};
  }
  vi.stubGlobal('AudioContext', Context);
  class Capture {
    port = { onmessage: (_: { data: Float32Array }) => {} };
    constructor() {
      capture = this;
    }
  }
  vi.stubGlobal('AudioWorkletNode', Capture);
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia: async () => ({ getTracks: () => [] }) } });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const READY = { type: 'ready', session: 's1', fps: 25, channels: [], rest: [], delay_s: { algorithm: 0.3, advice: 0.4 } };

test('a lost connection comes back with the sound of the meantime', async () => {
  const warnings: string[] = [];
  const closed = vi.fn();
  const live = connect('/live');
  live.on('warning', ({ code }) => warnings.push(code)).on('close', closed);
  await live.microphone();
  const piece = () => capture.port.onmessage({ data: new Float32Array(1600) });
  const [first] = Socket.all;
  first!.opens();
  piece(); // before the server is ready: left out
  first!.answers(READY);
  piece();
  first!.lost(1006);
  piece();
  vi.advanceTimersByTime(600);
  const second = Socket.all[1]!;
  second.opens();
  expect(JSON.parse(second.sent[0] as string)).toEqual({ type: 'resume', session: 's1', from_sample: 0 });
  expect(second.sent.slice(1).map((samples) => samples.length)).toEqual([1600, 1600]);
  second.answers(READY);
  piece();
  expect(second.sent).toHaveLength(4);
  expect(warnings).toEqual(['lost']);
  expect(closed).not.toHaveBeenCalled();
});

test('a session that the server ended is not tried again, nor one that is lost for long', async () => {
  for (const [code, wait] of [[1013, 0], [1006, 16_000]] as const) {
    Socket.all = [];
    const closed = vi.fn();
    connect('/live').on('close', closed);
    Socket.all[0]!.opens();
    Socket.all[0]!.answers(READY);
    Socket.all[0]!.lost(code);
    if (wait) {
      vi.advanceTimersByTime(500);
      vi.setSystemTime(Date.now() + wait);
      Socket.all[1]!.lost(1006);
    }
    expect(closed).toHaveBeenCalledOnce();
  }
});
