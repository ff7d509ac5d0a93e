// How well each text stands out from what is behind it (WCAG 2.2, 1.4.3).

/** The least contrast, over all texts that are seen, and the texts that have less than 4.5. */
export const contrasts = (page) => page.evaluate(async () => {
  // Colours on their way are neither.
  await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const box = at.matches?.('.node') ? at.querySelector('.box') : null;
      layers.push(rgba(box ? getComputedStyle(box).fill : getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const root = rgba(getComputedStyle(document.body).backgroundColor);
    return layers.reverse().reduce((below, layer) => over(layer, below), root);
  };
  const dialog = document.querySelector('dialog[open]');
  const walker = document.createTreeWalker(dialog ?? document.body, NodeFilter.SHOW_TEXT);
  let [least, texts] = [21, 0];
  const low = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    const isSeen = walker.currentNode.textContent.trim() && element.checkVisibility?.({ visibilityProperty: true }) && element.getBoundingClientRect().width > 1 && !element.closest('title, .hidden, noscript, option, :disabled');
    if (!isSeen) continue;
    texts += 1;
    const ground = behind(element);
    const isDrawn = element instanceof SVGElement;
    const found = ratio(over(rgba(isDrawn ? style.fill : style.color), ground), ground);
    least = Math.min(least, found);
    if (found < 4.5) low.push(`${found.toFixed(2)} ${element.className.baseVal ?? element.className} ${walker.currentNode.textContent.slice(0, 40)}`);
  }
  return { least: Number(least.toFixed(2)), texts, low: [...new Set(low)].slice(0, 10) };
});
