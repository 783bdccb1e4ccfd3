import { defineConfig } from 'vite';

/** `talk.js`: the script of `talk.html`, without imports, which the Python package writes into pages. */
export default defineConfig({
  publicDir: false,
  build: {
    outDir: process.env.PAGE_OUT ?? '../src/motet/serve/page',
    emptyOutDir: false,
    target: 'es2022',
    chunkSizeWarningLimit: 900,
    lib: { entry: 'src/talk/talk.ts', formats: ['iife'], name: 'motetTalk', fileName: () => 'talk.js' },
  },
});
