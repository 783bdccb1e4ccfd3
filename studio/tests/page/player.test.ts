/** The example page of `examples/`, on a server of its own that passes the API on. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { BASE, startBrowser, startServer } from './server';

const PORT = 8472;
const EXAMPLE = '../examples/12_avatar_on_your_page.html';
let stop: () => void;
let own: Server;
let browser: Browser;

beforeAll(async () => {
  stop = await startServer();
  own = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/';
    if (path === '/') {
      outgoing.setHeader('Content-Type', 'text/html');
      createReadStream(EXAMPLE).pipe(outgoing);
    } else if (path.startsWith('/three/')) {
      outgoing.setHeader('Content-Type', 'text/javascript');
      createReadStream(`node_modules${path}`).pipe(outgoing);
    } else {
      const { host: _, ...headers } = incoming.headers;
      request(BASE + path, { headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }).end();
    }
  }).listen(PORT, '127.0.0.1');
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  own?.close();
  stop?.();
});

test('a page of ten lines makes the figure speak', async () => {
  const form = new FormData();
  form.append('file', new Blob([await readFile('../examples/demo.flac')]), 'demo.flac');
  const sound = (await (await fetch(`${BASE}/api/sounds`, { method: 'POST', body: form })).json()) as { id: string };
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ sound: sound.id, method: 'artalk' });
  await fetch(`${BASE}/api/takes`, { method: 'POST', headers, body });
  const made = async () => ((await (await fetch(`${BASE}/api/takes`)).json()) as { takes: unknown[] }).takes.length;
  await expect.poll(made, { timeout: 300_000 }).toBe(1);

  const page = await browser.newPage({ viewport: { width: 520, height: 560 } });
  page.setDefaultTimeout(180_000);
  await page.goto(`http://127.0.0.1:${PORT}/`);
  const audio = <T>(read: (voice: HTMLAudioElement) => T) => page.evaluate(`(${read})(document.querySelector('audio'))`);
  await expect.poll(() => audio((voice) => voice.readyState), { timeout: 180_000 }).toBeGreaterThanOrEqual(1);
  const picture = () => page.evaluate(() => document.querySelector('canvas')!.toDataURL());
  const blank = await page.evaluate(() => {
    const { width, height } = document.querySelector('canvas')!;
    return Object.assign(document.createElement('canvas'), { width, height }).toDataURL();
  });
  await expect.poll(picture, { timeout: 120_000 }).not.toBe(blank);
  await page.waitForTimeout(2000);
  const first = await picture();
  await audio((voice) => (voice.currentTime = 1.16));
  await expect.poll(picture, { timeout: 120_000 }).not.toBe(first);
});
