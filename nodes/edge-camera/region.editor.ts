/** A part of a picture, as shares of its width and height. */
interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Smaller than this share of the picture, a drag was a click. */
const LEAST = 0.02;

/** Lay a frame over a picture that shows the part in the field, and lets it be drawn anew with mouse, pen or finger. */
export function drawRegion(picture: HTMLElement, input: HTMLInputElement): void {
  picture.style.cssText += 'position: relative; touch-action: none; cursor: crosshair; user-select: none;';
  const frame = document.createElement('div');
  frame.style.cssText =
    'position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 1px #000, 0 0 0 4000px rgba(0, 0, 0, 0.45); pointer-events: none;';
  picture.style.overflow = 'hidden';
  picture.append(frame);

  const show = (region: Region | undefined) => {
    frame.hidden = !region;
    frame.style.display = region ? 'block' : 'none';
    if (!region) return;
    const percent = (share: number) => `${100 * share}%`;
    Object.assign(frame.style, {
      left: percent(region.x),
      top: percent(region.y),
      width: percent(region.width),
      height: percent(region.height),
      boxSizing: 'border-box',
    });
  };
  const typed = () => show(parseRegion(input.value));
  const at = (event: PointerEvent) => {
    const box = picture.getBoundingClientRect();
    const share = (value: number) => Math.min(1, Math.max(0, value));
    return { x: share((event.clientX - box.left) / box.width), y: share((event.clientY - box.top) / box.height) };
  };
  let from: { x: number; y: number } | undefined;
  const drawn = (event: PointerEvent): Region => {
    const to = at(event);
    const start = from ?? to;
    return {
      x: Math.min(start.x, to.x),
      y: Math.min(start.y, to.y),
      width: Math.abs(start.x - to.x),
      height: Math.abs(start.y - to.y),
    };
  };
  picture.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    from = at(event);
  });
  picture.addEventListener('pointermove', (event) => {
    if (from) show(drawn(event));
  });
  picture.addEventListener('pointerup', (event) => {
    if (!from) return;
    const region = drawn(event);
    from = undefined;
    const whole = region.width < LEAST || region.height < LEAST;
    input.value = whole ? '' : [region.x, region.y, region.width, region.height].map((share) => share.toFixed(3)).join(', ');
    // jQuery, because the editor listens with it.
    $(input).trigger('change');
    typed();
  });
  input.addEventListener('input', typed);
  typed();
}

/** Undefined for the whole picture, and while something else stands there. */
export function parseRegion(text: string): Region | undefined {
  const numbers = text
    .split(/[,;\s]+/)
    .filter(Boolean)
    .map(Number);
  const [x = -1, y = -1, width = 0, height = 0] = numbers;
  const inside = x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 1.002 && y + height <= 1.002;
  return numbers.length === 4 && inside ? { x, y, width, height } : undefined;
}
