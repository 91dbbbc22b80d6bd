import sharp from 'sharp';
import { prepareFrame } from '../../core/media/prepare';
import { type Frame, frameBytes, makeFrame } from '../../core/message/frame';
import { playClip } from './footage';
import { seeded } from './random';

/** Frames a second of the recording. */
const RATE = 5;
const FRAMES = 1200;
/** Real frames are spliced in from each of these frames of the clip on, for so many of the recording. */
const PASSAGES = [
  { from: 40, at: 240 },
  { from: 170, at: 610 },
  { from: 300, at: 980 },
];
const PASSAGE_FRAMES = 50;
/** Pictures of the clip whose median is the empty scene. */
const MEDIAN_OF = 41;
/** Grey levels of the sensor's noise, standard deviation. */
const NOISE = 3;
/** Share by which the light rises and falls, and frames of one such wave. */
const DRIFT = 0.15;
const DRIFT_FRAMES = 400;

export interface EmptyFrame {
  /** JPEG, as a camera sends it. */
  frame: Frame;
  /** Milliseconds from the beginning. */
  at: number;
  /** Whether it is of a real passage. */
  passage: boolean;
}

/**
 * A recording of four minutes in which little happens, made of a busy clip: the empty scene (the median of the clip, since everybody
 * walks on) is held, with noise of a sensor and light that drifts, and three real passages of ten seconds are spliced in. The same in
 * every run.
 */
export async function* mostlyEmpty(clip: { path: string; frames: number }): AsyncGenerator<EmptyFrame> {
  const { empty, passages, width, height } = await readClip(clip);
  const noise = noiseField(2 * empty.length);
  const next = seeded(5);
  for (let index = 0; index < FRAMES; index++) {
    const passage = PASSAGES.findIndex(({ at }) => index >= at && index < at + PASSAGE_FRAMES);
    const scene = passage < 0 ? empty : passages[passage]![index - PASSAGES[passage]!.at]!;
    const light = 1 + DRIFT * Math.sin((2 * Math.PI * index) / DRIFT_FRAMES);
    const offset = Math.floor(next() * empty.length);
    const pixels = new Uint8ClampedArray(scene.length);
    for (let at = 0; at < pixels.length; at++) pixels[at] = scene[at]! * light + noise[offset + at]!;
    const jpeg = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 85 })
      .toBuffer();
    yield { frame: makeFrame(jpeg, 'jpeg', width, height), at: (index * 1000) / RATE, passage: passage >= 0 };
  }
}

async function readClip(clip: { path: string; frames: number }) {
  const wanted = new Map<number, { passage: number; index: number }>();
  for (const [passage, { from }] of PASSAGES.entries()) {
    // The clip has ten frames a second, the recording five.
    for (let index = 0; index < PASSAGE_FRAMES; index++) wanted.set(from + 2 * index, { passage, index });
  }
  const passages: Uint8Array[][] = PASSAGES.map(() => []);
  const samples: Uint8Array[] = [];
  const every = Math.max(1, Math.floor(clip.frames / MEDIAN_OF));
  let size = { width: 0, height: 0 };
  let number = 0;
  for await (const { frame } of playClip(clip)) {
    number += 1;
    const place = wanted.get(number);
    const sampled = number % every === 0 && samples.length < MEDIAN_OF;
    if (!place && !sampled) continue;
    const raw = await prepareFrame(frame, {});
    size = { width: raw.width, height: raw.height };
    if (place) passages[place.passage]![place.index] = frameBytes(raw);
    if (sampled) samples.push(frameBytes(raw));
  }
  if (passages.some((frames) => frames.length < PASSAGE_FRAMES)) throw new Error('the clip is too short for the passages');
  return { empty: medianOf(samples), passages, ...size };
}

function medianOf(samples: readonly Uint8Array[]): Uint8Array {
  const median = new Uint8Array(samples[0]!.length);
  const values = new Uint8Array(samples.length);
  for (let at = 0; at < median.length; at++) {
    for (const [index, sample] of samples.entries()) values[index] = sample[at]!;
    values.sort();
    median[at] = values[samples.length >> 1]!;
  }
  return median;
}

/** Box and Muller. */
function noiseField(length: number): Float32Array {
  const next = seeded(3);
  return Float32Array.from({ length }, () => NOISE * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}
