// node studio_tasks.mjs MODULES ADDRESS FOLDER TASK [FILE...]: one task of a new user on the studio's page, in
// Chromium and by what the page shows. Downloads and a picture of the end (TASK.png) go to FOLDER; the last line
// that is printed is JSON: what was found, and what the page reported as errors.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, address, folder, name, ...files] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(join(modules, 'playwright-core/index.mjs')).href);
const BREATH_MS = 1500; // drawing in software lags behind the page
const FLAGS = [
  '--no-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-device-for-media-stream --use-fake-ui-for-media-stream',
];

const button = (page, text) => page.getByRole('button', { name: text, exact: true });
const openTab = (page, text) => page.getByRole('navigation', { name: 'Areas' }).getByRole('button', { name: text, exact: true }).click();

/** Stop the sound, unless it has ended by itself. */
async function pause(page) {
  await button(page, 'Pause').click({ timeout: 1000 }).catch(() => {});
}

async function seek(page, seconds) {
  await page.getByLabel('Position').fill(String(seconds));
  await page.waitForTimeout(BREATH_MS);
}

/** Upload a recording, and wait until its take is there; a new one plays by itself. */
async function speak(page, sound) {
  await page.getByLabel('Recording', { exact: true }).setInputFiles(sound);
  await page.waitForSelector('.timeline canvas');
  await pause(page);
}

async function download(page, press) {
  const waiting = page.waitForEvent('download');
  await press();
  const got = await waiting;
  const path = join(folder, got.suggestedFilename());
  await got.saveAs(path);
  return path;
}

async function exported(page, format) {
  await button(page, 'Export').click();
  await page.locator('dialog label').filter({ has: page.getByText(format, { exact: true }) }).click();
  const command = await page.locator('dialog code').innerText();
  const path = await download(page, () => page.getByRole('button', { name: /^Download/ }).click());
  await button(page, 'Close').click();
  await page.locator('dialog[open]').waitFor({ state: 'hidden' });
  return { path, command };
}

/** Mark exactly these groups in the bar of the marked stretch. */
async function mark(page, wanted) {
  for (const group of ['Mouth', 'Brows', 'Eyes', 'Cheeks', 'Head']) {
    const label = page.locator('.region label', { hasText: group });
    if ((await label.locator('input').isChecked()) !== wanted.includes(group)) await label.click();
  }
}

/** Place on the page of a time in a row of the timeline, while the whole take fits. */
async function inTimeline(page, row, seconds) {
  const area = await page.locator('.timeline .area canvas').boundingBox();
  const label = await page.locator('.timeline .labels li', { hasText: row }).first().boundingBox();
  const total = Number(await page.getByLabel('Position').getAttribute('max'));
  return [area.x + (area.width * seconds) / total, label.y + label.height / 2];
}

/** Wait for the edits to be saved. */
const saved = (page) => page.getByText(/^Saved/).waitFor();

const TASKS = {
  /** An own recording speaks through an own avatar; both files are taken away. */
  async avatar(page, sound, avatar) {
    await speak(page, sound);
    await page.getByLabel('Avatar', { exact: true }).setInputFiles(avatar);
    await page.locator('button.row[aria-current]', { hasText: avatar.split('/').at(-1) }).waitFor();
    await seek(page, 1.2);
    return { video: await exported(page, '.mp4'), animation: await exported(page, '.vrma') };
  },

  /** One word is found in the transcript, marked, and its mouth opened wider. */
  async word(page, sound, text, word) {
    await speak(page, sound);
    await page.locator('summary', { hasText: 'Transcript' }).click();
    await page.getByLabel('Transcript (English)').fill(text);
    const answer = page.waitForResponse((response) => response.url().endsWith('/phones'));
    await button(page, 'Find the words').click();
    const { words } = await (await answer).json();
    const { t0, t1 } = words.find(({ label }) => label.toLowerCase() === word);
    await page.getByText('Click a word').waitFor();
    await page.mouse.click(...(await inTimeline(page, 'Words', (t0 + t1) / 2)));
    await button(page, 'More').click();
    await saved(page);
    await seek(page, (t0 + t1) / 2);
    return { t0, t1, words: words.length };
  },

  /** A stretch is marked by dragging, and only its head generated again. */
  async head(page, sound) {
    await speak(page, sound);
    await page.mouse.move(...(await inTimeline(page, 'Sound', 0.6)));
    await page.mouse.down();
    await page.mouse.move(...(await inTimeline(page, 'Sound', 1.0)), { steps: 4 });
    await page.mouse.move(...(await inTimeline(page, 'Sound', 1.8)), { steps: 4 });
    await page.mouse.up();
    await mark(page, ['Head']);
    await button(page, 'Re-roll').click();
    await page.getByText('re-rolled head').waitFor();
    await seek(page, 1.2);
    return {};
  },

  /** The microphone moves the face; numbers of the delay as the page shows them, one a second. */
  async microphone(page, sound, seconds) {
    await openTab(page, 'Live');
    await page.waitForSelector('canvas.drawn');
    const picture = () => page.locator('.stage canvas').screenshot();
    const rest = await picture();
    await button(page, 'Start microphone').click();
    const shown = page.locator('.big dd');
    const delays = [];
    let moved = false;
    const tries = 20 * Number(seconds); // the first use of a method loads it
    for (let i = 0; i < tries && (delays.length < Number(seconds) || !moved); i++) {
      await page.waitForTimeout(1000);
      const delay = parseInt(await shown.innerText());
      if (!Number.isNaN(delay)) delays.push(delay);
      if (delay && !moved) moved = !rest.equals(await picture());
    }
    const late = await page.locator('dl div', { hasText: 'Late frames' }).locator('dd').innerText();
    await page.screenshot({ path: join(folder, 'microphone.png') });
    await button(page, 'Stop').click();
    return { delays, moved, late: Number(late) };
  },

  /** A sound is put to the figure's left, and the body that turns there is taken away. */
  async body(page, sound) {
    await openTab(page, 'Body');
    await page.getByLabel('Sound to place').setInputFiles(sound);
    const puck = page.getByRole('slider', { name: new RegExp(sound.split('/').at(-1)) });
    await puck.focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowLeft');
    const azimuth = Number(await puck.getAttribute('aria-valuenow'));
    await button(page, 'Move the body').click();
    await page.getByText('Take it away').waitFor();
    await pause(page);
    await page.getByLabel('Position').last().fill('2');
    await page.waitForTimeout(BREATH_MS);
    return { azimuth, file: await download(page, () => button(page, '.bvh').click()) };
  },
};

const fake = name === 'microphone' ? [`--use-file-for-fake-audio-capture=${files[0]}`] : [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [...FLAGS.flatMap((line) => line.split(' ')), ...fake],
});
const context = await browser.newContext({
  viewport: { width: Number(process.env.WIDTH ?? 1200), height: Number(process.env.HEIGHT ?? 800) },
  colorScheme: process.env.THEME ?? 'dark',
  permissions: ['microphone'],
});
const page = await context.newPage();
page.setDefaultTimeout(Number(process.env.WAIT_MS ?? 240_000));
const errors = [];
page.on('pageerror', (error) => errors.push(error.message));
page.on('crash', () => errors.push('the page crashed'));
try {
  await page.goto(address);
  await page.waitForSelector('canvas.drawn');
  const found = await TASKS[name](page, ...files);
  if (name !== 'microphone') await page.screenshot({ path: join(folder, `${name}.png`) });
  console.log(JSON.stringify({ ...found, errors }));
} catch (error) {
  await page.screenshot({ path: join(folder, `${name}-failed.png`) }).catch(() => {});
  throw error;
} finally {
  await browser.close();
}
