import type { Ffmpeg } from './program';

/** What part of a picture is taken, which side is up, and how large it is at most. */
export interface View {
  /** A part of the upright picture, as shares of its width and height from 0 to 1. */
  region?: { x: number; y: number; width: number; height: number };
  /** Degrees by which the picture is turned, clockwise. */
  rotation: 0 | 90 | 180 | 270;
  /** Pixels; a wider picture is shrunk, keeping its shape. 0: as it is. */
  largestWidth: number;
}

/** The whole picture as it comes. */
export const WHOLE: View = { rotation: 0, largestWidth: 0 };

/**
 * Arguments for what comes out: raw RGB, one PPM picture after the other, which is the pixels behind 15 bytes that say their
 * size. Cut, shrunk and turned here, so that no more than is needed crosses the pipe.
 *
 * @param framesPerSecond of a live source: at most so many, never one twice, none late. Undefined: all.
 */
export function pictureArguments(ffmpeg: Ffmpeg, view: View, framesPerSecond?: number): string[] {
  const filters = [...(framesPerSecond ? [atMost(framesPerSecond)] : []), ...viewFilters(view)];
  return [
    '-vf',
    filters.join(','),
    // As they come: the default would repeat and drop pictures to keep a rate.
    ...(ffmpeg.since6 ? ['-fps_mode', 'passthrough'] : ['-vsync', 'passthrough']),
    ...PIXELS,
  ];
}

/** The same for a recording at a steady rate: its own, or one to which pictures are repeated or left out. */
export function recordedArguments(view: View, framesPerSecond?: number): string[] {
  const filters = [...(framesPerSecond ? [`fps=${framesPerSecond}`] : []), ...viewFilters(view)];
  return ['-vf', filters.join(','), ...PIXELS];
}

const PIXELS = ['-f', 'image2pipe', '-c:v', 'ppm', '-pix_fmt', 'rgb24', 'pipe:1'];

/**
 * FFmpeg's own `fps` filter holds a picture back until the next one comes, and repeats some where the stream is slower. This lets
 * a picture through when it is due, a third of a period early at most, so that the jitter of a stream of the same rate drops none.
 * ld(0) is when the next one is due; far from it (a clock that was set, the very first) it begins anew.
 */
function atMost(framesPerSecond: number): string {
  const period = (1 / framesPerSecond).toFixed(6);
  const early = (0.3 / framesPerSecond).toFixed(6);
  const late = (0.5 / framesPerSecond).toFixed(6);
  const far = (3 / framesPerSecond).toFixed(6);
  const due = `st(1,isnan(t)+gte(t,ld(0)-${early})+lt(t,ld(0)-${far}))`;
  const next = `if(ld(1),st(0,if(lt(t,ld(0)-${far}),t+${period},max(ld(0)+${period},t+${late}))))`;
  return `select='${due};${next};ld(1)'`;
}

function viewFilters({ region, rotation, largestWidth }: View): string[] {
  const filters: string[] = [];
  if (region) {
    const { x, y, width, height } = beforeRotation(region, rotation);
    const share = (value: number, of: string) => `${value.toFixed(6)}*${of}`;
    const size = `max(1,round(${share(width, 'iw')})):max(1,round(${share(height, 'ih')}))`;
    filters.push(`crop=${size.replaceAll(',', '\\,')}:round(${share(x, 'iw')}):round(${share(y, 'ih')}):exact=1`);
  }
  const turned = rotation === 90 || rotation === 270;
  const least = `min(${turned ? 'ih' : 'iw'}\\,${largestWidth})`;
  // Without a limit the filter only converts the colours; it stands here all the same, for its own cheap way to do it.
  const size = largestWidth === 0 ? 'iw:ih' : turned ? `-1:${least}` : `${least}:-1`;
  filters.push(`scale=${size}:flags=bilinear`);
  if (rotation === 90) filters.push('transpose=clock');
  if (rotation === 180) filters.push('hflip', 'vflip');
  if (rotation === 270) filters.push('transpose=cclock');
  return filters;
}

/** A region of the turned picture, in the picture before it is turned. */
export function beforeRotation({ x, y, width, height }: NonNullable<View['region']>, rotation: View['rotation']) {
  if (rotation === 90) return { x: y, y: 1 - x - width, width: height, height: width };
  if (rotation === 180) return { x: 1 - x - width, y: 1 - y - height, width, height };
  if (rotation === 270) return { x: 1 - y - height, y: x, width: height, height: width };
  return { x, y, width, height };
}
