import { defineConfig } from 'vitest/config';

/** Tests in Chromium against a real server: slow, so not part of `npm test`. */
export default defineConfig({
  test: { include: ['tests/page/**/*.test.ts'], fileParallelism: false, testTimeout: 420_000, hookTimeout: 420_000 },
});
