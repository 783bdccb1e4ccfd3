import { defineConfig } from 'vite';

/** `player.js`: one ES module without dependencies, at a name that other sites can rely on. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: process.env.PAGE_OUT ?? '../src/motet/serve/page',
    emptyOutDir: false,
    target: 'es2022',
    lib: { entry: 'src/player/player.ts', formats: ['es'], fileName: () => 'player.js' },
  },
});
