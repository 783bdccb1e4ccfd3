// Builds into a temporary folder and compares with the committed page, byte by byte.
// Compressed files are compared unpacked: zlib differs between versions of Node.
import { execSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const committed = '../src/motet/serve/page';
const fresh = mkdtempSync(join(tmpdir(), 'page-'));
const files = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort();
const content = (path) => {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};
try {
  execSync('npm run --silent build', { env: { ...process.env, PAGE_OUT: fresh }, stdio: ['ignore', 'ignore', 'inherit'] });
  const names = [...new Set([...files(committed), ...files(fresh)])];
  const different = names.filter(
    (name) =>
      !existsSync(join(committed, name)) ||
      !existsSync(join(fresh, name)) ||
      !content(join(committed, name)).equals(content(join(fresh, name))),
  );
  if (different.length) {
    console.error(`The committed page differs from its sources; run 'make page' and commit:\n  ${different.join('\n  ')}`);
    process.exitCode = 1;
  } else {
    console.log(`page: ${names.length} files equal to a fresh build`);
  }
} finally {
  rmSync(fresh, { recursive: true });
}
