// Charts are bitmaps: draw them at twice the screen's resolution at least, so that prints and saved pictures are sharp.
Object.defineProperty(window, "devicePixelRatio", {
  value: Math.max(2, Math.min(3, window.devicePixelRatio)),
  configurable: true,
});
