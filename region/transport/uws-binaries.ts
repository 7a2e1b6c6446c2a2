/**
 * SHA-256 of the uWebSockets.js binaries for Node 22 (ABI 127) that the lockfile's `uws-pack` brings.
 * The project has its binaries repacked by a third party, so a test compares what is installed: a
 * change of these files must be somebody's decision.
 */
export const UWS_BINARIES: Readonly<Record<string, string>> = {
  "uws_linux_x64_127.node": "8cabc918bbf9a07323e54f89a33882491080b2eb35df0607f473ccdb1f3c31af",
  "uws_linux_arm64_127.node": "d4c4f8b2c28c5f6544b49e36d91b0beee238a5b90a07904a947f77061c8b814d",
  "uws_darwin_arm64_127.node": "abbeea53d48e21c01808203e9f9835728f2cea720d2e5b154837ee3045b513be",
};
