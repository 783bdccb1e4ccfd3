import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Browser, chromium } from 'playwright-core';

const PORT = 8471;
export const BASE = `http://127.0.0.1:${PORT}`;

/** A studio server of its own, with nothing stored yet. */
export async function startServer(): Promise<() => void> {
  const data = mkdtempSync(join(tmpdir(), 'studio-'));
  const python = process.env.PYTHON ?? 'python';
  const server: ChildProcess = spawn(python, ['-m', 'motet.cli', 'serve', '--port', String(PORT), '--data', data], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let tries = 0; ; tries++) {
    const health = await fetch(`${BASE}/api/health`).then((r) => r.json() as Promise<{ state: string }>, () => undefined);
    if (health?.state === 'ready') break;
    if (tries > 900 || server.exitCode !== null) throw new Error('the server did not start');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return () => {
    server.kill('SIGTERM');
    rmSync(data, { recursive: true, force: true });
  };
}

/** Chromium with WebGL in software and a microphone that plays the demo. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--use-gl=angle',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--autoplay-policy=no-user-gesture-required',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
    ],
  });
}
