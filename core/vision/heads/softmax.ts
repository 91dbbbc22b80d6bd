import type { OtherHead } from './head';

/** A classifier: one output [1, classes], probabilities or what a softmax makes them of. core/task/classification.ts reads it. */
export const softmax: OtherHead = {
  id: 'softmax',
  task: 'classification',
  layout: '[1, classes], also with dimensions of 1 behind',
  source: 'every classifier; docs.ultralytics.com/tasks/classify',
  // ImageNet's networks alone are fed in five ways: asked for, not guessed.
  input: null,

  // An embedding looks the same: only where the exporter says so.
  matches: (_inputs, outputs, exporter) => exporter.task === 'classify' && outputs.length === 1,

  classCount(outputs) {
    const { shape } = outputs.length === 1 ? outputs[0]! : { shape: [] };
    const counts = shape.slice(1);
    if (counts.length === 0 || !counts.every((size) => typeof size === 'number' && size > 0)) return null;
    return (counts as number[]).reduce((product, size) => product * size, 1);
  },

  inferred: (exporter) =>
    exporter.task === 'classify'
      ? { input: { colours: 'rgb', mean: [0, 0, 0], scale: [1 / 255, 1 / 255, 1 / 255], fit: 'cover' } }
      : {},
};
