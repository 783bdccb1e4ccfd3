import { defineConfig } from 'vitest/config';

/** Tests in Chromium against a real server: slow, so not part of `npm test`. */
export default defineConfig({
  test: { include: ['tests/page/**/*.test.ts'], fileParallelism: false, testTimeout: 240_000, hookTimeout: 240_000 },
});
