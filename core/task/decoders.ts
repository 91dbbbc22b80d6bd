import { EdgeError } from '../errors';
import type { ImageInput, Manifest } from '../model/manifest';
import { detectionHeadNamed } from '../vision/heads';
import { ClassificationDecoder } from './classification';
import { type Decoder, decoderSettings } from './decoder';
import { DetectionDecoder } from './detection';
import { EmbeddingDecoder } from './embedding';
import { SegmentationDecoder } from './segmentation';
import type { TaskOptions } from './task';

/** @throws EDGE_MODEL_UNSUPPORTED for a head that does not exist; EDGE_MODEL_MANIFEST for settings that do not fit the task. */
export function decoderFor(manifest: Manifest, input: ImageInput, options: TaskOptions): Decoder {
  const settings = decoderSettings(manifest, options);
  switch (manifest.task) {
    case 'detection':
    case 'pose':
      return new DetectionDecoder(detectionHeadNamed(manifest.output.head, manifest.task), input, settings);
    case 'classification':
      return new ClassificationDecoder(settings);
    case 'segmentation':
      return new SegmentationDecoder(input, settings);
    case 'embedding':
      return new EmbeddingDecoder(settings);
    case 'tensors':
      throw new EdgeError('EDGE_MODEL_MANIFEST', `${manifest.id}: a tensors task takes no picture`);
  }
}
