import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeSnapshot } from '../../../../core/media/camera';
import type { View } from '../../../../core/media/ffmpeg';
import { pictureFrame } from '../../../../core/media/image-input';
import { viewFrame } from '../../../../core/media/view-frame';
import { type Frame, frameBytes } from '../../../../core/message/frame';
import { describeWith, find } from '../../../support/needs';
import { colourAt, quarters } from '../pictures';

/** red green / blue white, as seen upright. */
const WIDTH = 160;
const HEIGHT = 96;
const never = new AbortController().signal;

/** The colours in the corners of a picture, row by row. */
function corners(frame: Frame): string[] {
  const { width, height } = frame;
  const pixels = frameBytes(frame);
  const [left, right, top, bottom] = [3, width - 4, 3, height - 4];
  return [
    [left, top],
    [right, top],
    [left, bottom],
    [right, bottom],
  ].map(([x, y]) => colourAt(pixels, width, x!, y!));
}

const VIEWS: [name: string, view: View, size: [number, number], colours: string[]][] = [
  ['the whole', { rotation: 0, largestWidth: 0 }, [160, 96], ['red', 'green', 'blue', 'white']],
  ['shrunk', { rotation: 0, largestWidth: 80 }, [80, 48], ['red', 'green', 'blue', 'white']],
  ['never enlarged', { rotation: 0, largestWidth: 640 }, [160, 96], ['red', 'green', 'blue', 'white']],
  ['a quarter turn', { rotation: 90, largestWidth: 0 }, [96, 160], ['blue', 'red', 'white', 'green']],
  ['upside down', { rotation: 180, largestWidth: 0 }, [160, 96], ['white', 'blue', 'green', 'red']],
  ['three quarters, shrunk', { rotation: 270, largestWidth: 48 }, [48, 80], ['green', 'white', 'red', 'blue']],
  [
    'the right half',
    { rotation: 0, largestWidth: 0, region: { x: 0.5, y: 0, width: 0.5, height: 1 } },
    [80, 96],
    ['green', 'green', 'white', 'white'],
  ],
  [
    'the upper half of what was turned',
    { rotation: 90, largestWidth: 0, region: { x: 0, y: 0, width: 1, height: 0.5 } },
    [96, 80],
    ['blue', 'red', 'blue', 'red'],
  ],
  [
    'the left half of what stands on its head',
    { rotation: 180, largestWidth: 40, region: { x: 0, y: 0, width: 0.5, height: 1 } },
    [40, 48],
    ['white', 'white', 'green', 'green'],
  ],
  [
    'the lower right of three quarters',
    { rotation: 270, largestWidth: 0, region: { x: 0.5, y: 0.5, width: 0.5, height: 0.5 } },
    [48, 80],
    ['blue', 'blue', 'blue', 'blue'],
  ],
];

describeWith(['ffmpeg'], 'a view', () => {
  let folder: string;
  let video: string;
  let picture: Buffer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'edgeloom-view-'));
    const still = join(folder, 'still.png');
    video = join(folder, 'still.mkv');
    picture = await quarters(WIDTH, HEIGHT).png().toBuffer();
    await quarters(WIDTH, HEIGHT).png().toFile(still);
    const encode = [
      '-loop',
      '1',
      '-i',
      still,
      '-t',
      '2',
      '-r',
      '10',
      '-c:v',
      'libx264',
      '-qp',
      '4',
      '-pix_fmt',
      'yuv420p',
      video,
    ];
    execFileSync(find('ffmpeg')!, ['-v', 'error', '-y', ...encode]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(VIEWS)('of a stream: %s', async (_name, view, [width, height], colours) => {
    const { frame } = await takeSnapshot({ url: video, kind: 'auto', view, timeoutMs: 20_000 }, never);
    expect(frame).toMatchObject({ kind: 'frame', encoding: 'rgb8', channels: 3, width, height });
    expect(corners(frame)).toEqual(colours);
  });

  test.each(VIEWS)('of a compressed picture: %s', async (_name, view, [width, height], colours) => {
    const frame = await viewFrame(pictureFrame(picture), view);
    expect(frame).toMatchObject({ encoding: 'rgb8', width, height });
    expect(corners(frame)).toEqual(colours);
  });
});
