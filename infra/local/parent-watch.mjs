/**
 * Preloaded into every Node process of the local world: when the world's process is gone, however it
 * went, the channel to it closes and this process ends too. Without a channel it does nothing.
 */
if (process.channel) {
  process.once("disconnect", () => {
    // Nobody is left to report to or to wait for a tidy end: this is the end of a crash.
    process.kill(process.pid, "SIGKILL");
  });
  // The channel alone must not keep a process alive that has finished.
  process.channel.unref();
}
