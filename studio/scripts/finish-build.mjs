// Second half of a build: compressed copies beside the text files, and the licences of what is bundled.
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const out = process.env.PAGE_OUT ?? '../src/motet/serve/page';
const BUNDLED = ['three', 'svelte', '@pixiv/three-vrm', '@fontsource-variable/geist'];

const licences = BUNDLED.map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  const text = readFileSync(`node_modules/${name}/LICENSE${name === 'svelte' ? '.md' : ''}`, 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
});
writeFileSync(join(out, 'licences.txt'), licences.join('\n' + '-'.repeat(80) + '\n\n'));

copyFileSync('../examples/demo.flac', join(out, 'demo.flac')); // "Try the demo"

for (const file of readdirSync(out, { recursive: true })) {
  const path = join(out, file);
  if (statSync(path).isFile() && /\.(js|css|html|svg|txt)$/.test(file)) {
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  }
}
