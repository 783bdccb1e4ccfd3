/**
 * The page in Chromium against a real server. Drawing in software is slow, so one page goes through
 * all states in order, in a small window.
 */
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { BASE, startBrowser, startServer } from './server';

let stop: () => void;
let browser: Browser;
let page: Page;
const outside: string[] = [];
const errors: string[] = [];

beforeAll(async () => {
  stop = await startServer();
  browser = await startBrowser();
  const context = await browser.newContext({ viewport: { width: 1000, height: 640 } });
  page = await context.newPage();
  page.setDefaultTimeout(180_000);
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(BASE)) outside.push(request.url());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(BASE);
});

afterAll(async () => {
  await browser?.close();
  stop?.();
});

/** Rules of axe that the present state breaks, those that matter. */
async function faults(): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((n) => `${n.target.join(' ')} (${n.failureSummary})`).join(', ')}`);
}

const openTab = (name: string) =>
  page.getByRole('navigation', { name: 'Areas' }).getByRole('button', { name, exact: true }).click();

async function seek(seconds: number) {
  await page.getByLabel('Position').fill(String(seconds));
  await page.waitForTimeout(1500);
}

test('the first screen offers a file and the demo', async () => {
  await page.waitForSelector('canvas.drawn');
  await page.getByRole('button', { name: 'Try the demo' }).waitFor();
  expect(await faults()).toEqual([]);
});

test('the demo becomes a take, and the mouth moves', async () => {
  await page.getByRole('button', { name: 'Try the demo' }).click();
  await page.waitForSelector('.timeline canvas');
  // It plays by itself once its curves are there; then to its end.
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Mouth', exact: true }).first().click();
  await seek(0);
  const picture = () => page.locator('.stage canvas').screenshot();
  const closed = await picture();
  await seek(1.16);
  await expect.poll(async () => closed.equals(await picture()), { timeout: 60_000 }).toBe(false);
  expect(await faults()).toEqual([]);
});

test('a key pose is saved, and undone', async () => {
  const box = (await page.locator('.timeline .area canvas').boundingBox())!;
  const saved = async () => {
    const { takes } = (await (await fetch(`${BASE}/api/takes`)).json()) as { takes: { id: string; state: string }[] };
    const made = takes.find(({ state }) => state === 'made')!;
    return ((await (await fetch(`${BASE}/api/takes/${made.id}/edits`)).json()) as { layers: { type: string }[] }).layers;
  };
  await page.mouse.dblclick(box.x + box.width / 3, box.y + 22 + 56 + 20); // in the lane of the mouth
  await expect.poll(async () => (await saved()).map(({ type }) => type), { timeout: 60_000 }).toEqual(['key']);
  await page.keyboard.press('z');
  await expect.poll(saved, { timeout: 60_000 }).toEqual([]);
});

test('the export dialog hands out a file', async () => {
  await page.getByRole('button', { name: 'Export' }).click();
  await page.locator('label', { hasText: 'motet take' }).click();
  expect(await page.locator('dialog code').innerText()).toMatch(/^motet run demo\.flac .*-o demo\.npz$/);
  expect(await faults()).toEqual([]);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: /Download/ }).click();
  expect((await download).suggestedFilename()).toBe('demo-artalk-0.npz');
  await page.keyboard.press('Escape');
});

test('the live tab shows the true delay of a microphone', async () => {
  await openTab('Live');
  await page.getByRole('button', { name: 'Start microphone' }).waitFor();
  expect(await faults()).toEqual([]);
  await page.getByRole('button', { name: 'Start microphone' }).click();
  const delay = page.locator('.big dd');
  await expect.poll(async () => parseInt(await delay.innerText()) || 0, { timeout: 240_000 }).toBeGreaterThan(100);
  await page.getByRole('button', { name: 'Stop' }).click();
});

test('sounds are placed around the body by keyboard, and a person needs consent', async () => {
  await openTab('Body');
  await page.getByTitle('Place it around the figure').first().click();
  const puck = page.getByRole('slider', { name: /demo\.flac/ });
  const before = Number(await puck.getAttribute('aria-valuenow'));
  await puck.focus();
  await page.keyboard.press('ArrowLeft');
  expect(Number(await puck.getAttribute('aria-valuenow'))).toBe(before + 5);
  expect(await faults()).toEqual([]);
  await openTab('Person');
  expect(await page.getByRole('button', { name: 'Learn this person' }).isDisabled()).toBe(true);
  expect(await faults()).toEqual([]);
});

test('nothing is wider than a phone', async () => {
  await page.setViewportSize({ width: 390, height: 800 });
  for (const tab of ['Studio', 'Live', 'Body', 'Person']) {
    await openTab(tab);
    await page.waitForTimeout(500);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), tab).toBeLessThanOrEqual(390);
  }
});

test('nothing was asked from outside, and nothing failed', () => {
  expect(outside).toEqual([]);
  expect(errors).toEqual([]);
});
