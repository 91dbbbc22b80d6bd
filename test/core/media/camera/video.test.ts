import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EdgeError } from '../../../../core/errors';
import { Camera, type CameraSettings, type CapturedPicture, openCamera, takeSnapshot } from '../../../../core/media/camera';
import { findFfmpeg } from '../../../../core/media/ffmpeg';
import { failure } from '../../../../core/media/ffmpeg/failure';
import { deviceArguments } from '../../../../core/media/ffmpeg/input';
import { toJpeg } from '../../../../core/media/jpeg';
import { frameBytes } from '../../../../core/message/frame';
import { ffmpegWith, processes } from '../../../support/ffmpeg-processes';
import { describeWith, find, itWith, ROOT } from '../../../support/needs';
import { RtspServer, testPictures } from '../../../support/rtsp-server';
import { until } from '../../../support/until';

const never = new AbortController().signal;
/** Of a machine that does other things too: FFmpeg may take seconds to start. */
const PATIENT = { timeoutMs: 20_000 };
const settings = (url: string, more: Partial<CameraSettings> = {}): CameraSettings => ({
  url,
  kind: 'auto',
  ...PATIENT,
  ...more,
});

async function failing(attempt: Promise<unknown>): Promise<EdgeError> {
  return attempt.then(
    () => Promise.reject(new Error('it did not fail')),
    (thrown: EdgeError) => thrown,
  );
}

/** A camera that runs, and what it told. */
function run(of: CameraSettings, framesPerSecond = 50) {
  const seen: CapturedPicture[] = [];
  const errors: EdgeError[] = [];
  const notices: string[] = [];
  const source = openCamera({ framesPerSecond, ...of }, (text) => notices.push(text));
  const camera = new Camera(source, framesPerSecond, {
    onPicture: (picture) => seen.push(picture),
    onState: () => {},
    onError: (error) => errors.push(error),
  });
  camera.start();
  return { camera, seen, errors, notices };
}

/** A server that takes connections and says nothing. */
async function silentServer(): Promise<{ port: number; close(): void }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describeWith(['ffmpeg', 'rtsp'], 'an RTSP camera', () => {
  let server: RtspServer | undefined;
  let running: ReturnType<typeof run> | undefined;
  const started = (...values: Parameters<typeof run>) => {
    running = run(...values);
    return running;
  };

  afterEach(async () => {
    await running?.camera.stop();
    running = undefined;
    server?.thaw();
    await server?.kill();
    server = undefined;
  }, 60_000);

  test.each(['auto', 'tcp', 'udp'] as const)(
    'gives raw pictures, %s',
    async (transport) => {
      server = await RtspServer.start();
      const { seen } = started(settings(server.url(), { transport }));
      await until(() => seen.length >= 5, 'five pictures');
      const { frame, captureMs, capturedAt } = seen[4]!;
      expect(frame).toMatchObject({ kind: 'frame', encoding: 'rgb8', width: 320, height: 240, channels: 3 });
      expect(frameBytes(frame)).toHaveLength(320 * 240 * 3);
      expect(captureMs).toBeGreaterThanOrEqual(0);
      expect(Math.abs(Date.now() - capturedAt)).toBeLessThan(60_000);
    },
    60_000,
  );

  test('one that sends over UDP only is read by itself, and TCP alone is refused with what to do', async () => {
    server = await RtspServer.start({ protocols: 'udp' });
    expect((await takeSnapshot(settings(server.url()), never)).frame.width).toBe(320);
    const error = await failing(takeSnapshot(settings(server.url(), { transport: 'tcp' }), never));
    expect(error).toMatchObject({ code: 'EDGE_SOURCE_REFUSED', message: expect.stringMatching(/other transport/) });
  }, 60_000);

  test('gives at most the pictures a second that are asked for, and all where the stream is slower', async () => {
    const mounts = { '/fast': testPictures({ rate: 25 }), '/slow': testPictures({ rate: 5 }) };
    server = await RtspServer.start({ mounts });
    const count = async (path: string, framesPerSecond: number) => {
      const { camera, seen } = started(settings(server!.url(path)), framesPerSecond);
      await until(() => seen.length >= 20, 'twenty pictures');
      await camera.stop();
      // By the stream's clock: the first ones come in a burst.
      const rest = seen.slice(6);
      return ((rest.length - 1) * 1000) / (rest.at(-1)!.capturedAt - rest[0]!.capturedAt);
    };
    const limited = await count('/fast', 5);
    expect(limited).toBeGreaterThan(2);
    expect(limited).toBeLessThan(8);
    expect(await count('/slow', 25)).toBeLessThan(8);
  }, 90_000);

  test('pictures are cut, shrunk and turned by FFmpeg', async () => {
    server = await RtspServer.start({ mounts: { '/bars': testPictures({ pattern: 'smpte' }) } });
    const view = { rotation: 90, largestWidth: 60, region: { x: 0, y: 0, width: 1, height: 0.5 } } as const;
    const { frame } = await takeSnapshot(settings(server.url('/bars'), { view }), never);
    // 320x240 turned is 240x320; the upper half of that is 240x160.
    expect(frame).toMatchObject({ width: 60, height: 40 });
    expect((await toJpeg(frame)).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
  }, 60_000);

  test('only key frames are decoded where that is asked for, and the stream lives on between them', async () => {
    server = await RtspServer.start({ mounts: { '/long': testPictures({ rate: 10, keyFrames: 50 }) } });
    const { seen, errors } = started(settings(server.url('/long'), { keyFramesOnly: true, stallMs: 3000 }));
    await until(() => seen.length >= 3, 'three key frames');
    expect(errors).toEqual([]);
    expect(seen[2]!.capturedAt - seen[1]!.capturedAt).toBeGreaterThan(3000);
  }, 90_000);

  describe('with a password', () => {
    const credentials = { user: 'ann', password: "p@:/?#'% ä" };

    test.each([
      ['Basic', false],
      ['Digest', true],
    ])(
      'is read by %s, and nobody sees it in the list of processes',
      async (_name, digest) => {
        server = await RtspServer.start({ ...credentials, digest });
        const { seen } = started(settings(server.url(), { credentials }));
        await until(() => seen.length >= 2, 'two pictures');
        const lines = processes().filter(({ command }) => /ffmpeg/.test(command));
        expect(lines.length).toBeGreaterThan(0);
        for (const { command } of lines) {
          expect(command).not.toContain(encodeURIComponent(credentials.password));
          expect(command).not.toContain('ann:');
        }
      },
      60_000,
    );

    test('a wrong one is refused once and not asked for again at once, and is in no error', async () => {
      server = await RtspServer.start({ ...credentials, digest: true });
      for (const url of [server.url('/live'), server.url('/live', 'ann:geheim')]) {
        const typed = url.includes('geheim') ? {} : { credentials: { user: 'ann', password: 'geheim' } };
        const { camera, errors } = started(settings(url, typed));
        await until(() => errors.length > 0, 'the refusal');
        await new Promise((resolve) => setTimeout(resolve, 2500));
        expect(errors.map(({ code }) => code)).toEqual(['EDGE_SOURCE_CREDENTIALS']);
        expect(errors[0]!.message).not.toMatch(/geheim|ann/);
        expect(JSON.stringify(errors[0]!.cause ?? '')).not.toMatch(/geheim/);
        await camera.stop();
      }
    }, 60_000);

    test('in the address is used as well', async () => {
      server = await RtspServer.start({ user: 'ann', password: 'secret', digest: true });
      expect((await takeSnapshot(settings(server.url('/live', 'ann:secret')), never)).frame.width).toBe(320);
    }, 60_000);
  });

  test('nothing at the path, nobody at the port, no such host: each says so', async () => {
    server = await RtspServer.start();
    expect((await failing(takeSnapshot(settings(server.url('/nothing')), never))).code).toBe('EDGE_SOURCE_REFUSED');
    const { port } = server;
    await server.kill();
    const away = await failing(takeSnapshot(settings(`rtsp://127.0.0.1:${port}/live`), never));
    expect(away).toMatchObject({ code: 'EDGE_SOURCE_UNREACHABLE', message: expect.stringMatching(/ECONNREFUSED/) });
    const unknown = await failing(takeSnapshot(settings('rtsp://no-such-host.invalid/live'), never));
    expect(unknown).toMatchObject({ code: 'EDGE_SOURCE_UNREACHABLE', message: expect.stringMatching(/name could not be found/) });
  }, 60_000);

  test('one whose server is killed comes back with it', async () => {
    server = await RtspServer.start();
    const { seen, errors } = started(settings(server.url()));
    await until(() => seen.length >= 3, 'pictures');
    await server.kill();
    await until(() => errors.length > 0, 'the end');
    expect(errors[0]!.code).toBe('EDGE_SOURCE_UNREACHABLE');
    const count = seen.length;
    await server.up();
    await until(() => seen.length >= count + 3, 'pictures again');
  }, 90_000);

  test('one that freezes in mid-stream is noticed by the age of its last picture, and comes back', async () => {
    server = await RtspServer.start();
    const { seen, errors } = started(settings(server.url(), { stallMs: 2000 }));
    await until(() => seen.length >= 3, 'pictures');
    server.freeze();
    await until(() => errors.length > 0, 'the stall');
    expect(errors[0]).toMatchObject({ code: 'EDGE_SOURCE_TIMEOUT', message: expect.stringMatching(/no picture for 2 s/) });
    expect(ffmpegWith(`:${server.port}/`)).toEqual([]);
    const count = seen.length;
    server.thaw();
    await until(() => seen.length >= count + 3, 'pictures again');
  }, 90_000);

  test('one that is frozen while it is opened is given up, and its FFmpeg killed', async () => {
    server = await RtspServer.start();
    server.freeze();
    const error = await failing(takeSnapshot(settings(server.url(), { timeoutMs: 1500 }), never));
    expect(error).toMatchObject({ code: 'EDGE_SOURCE_TIMEOUT', message: expect.stringMatching(/no answer for 1.5 s/) });
    expect(ffmpegWith(`:${server.port}/`)).toEqual([]);
  }, 60_000);

  test('stopping while it connects leaves no process, at whatever moment', async () => {
    const silent = await silentServer();
    for (const wait of [0, 5, 20, 60, 150, 400]) {
      const { camera } = started(settings(`rtsp://127.0.0.1:${silent.port}/live`));
      await new Promise((resolve) => setTimeout(resolve, wait));
      await camera.stop();
      expect(ffmpegWith(`:${silent.port}/`)).toEqual([]);
    }
    silent.close();
  }, 60_000);

  test.each(['h264_v4l2m2m', 'no_such_decoder', 'nosuchchip'])(
    'a hardware decoder that this machine lacks (%s): software decodes, and says so once',
    async (hardware) => {
      server = await RtspServer.start();
      const { seen, errors, notices } = started(settings(server.url(), { hardware }));
      await until(() => seen.length >= 3, 'pictures');
      expect(errors).toEqual([]);
      expect(notices).toEqual([expect.stringMatching(new RegExp(`${hardware}.*software`))]);
    },
    60_000,
  );

  const old = join(ROOT, 'node_modules', '@ffmpeg-installer', 'linux-x64', 'ffmpeg');
  (existsSync(old) ? test : test.skip)(
    'is read by an FFmpeg of 2018 too, with its own options',
    async () => {
      server = await RtspServer.start({ user: 'ann', password: 'secret' });
      const credentials = { user: 'ann', password: 'secret' };
      const { frame } = await takeSnapshot(
        settings(server.url(), { ffmpeg: old, credentials, view: { rotation: 90, largestWidth: 60 } }),
        never,
      );
      expect(frame).toMatchObject({ width: 60, height: 80 });
      const wrong = { user: 'ann', password: 'geheim' };
      const error = await failing(takeSnapshot(settings(server.url(), { ffmpeg: old, credentials: wrong }), never));
      expect(error.code).toBe('EDGE_SOURCE_CREDENTIALS');
      expect(error.message).not.toContain('geheim');
    },
    60_000,
  );
});

describeWith(['ffmpeg'], 'a video file as a camera', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeloom-video-'));
    const make = [
      '-f',
      'lavfi',
      '-i',
      'testsrc=size=160x120:rate=10:duration=1',
      '-c:v',
      'mjpeg',
      '-y',
      join(folder, 'my yard.avi'),
    ];
    execFileSync(find('ffmpeg')!, ['-v', 'error', ...make]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('plays at its own speed, over and over', async () => {
    const { camera, seen, errors } = run(settings(join(folder, 'my yard.avi')));
    await until(() => seen.length >= 15, 'more pictures than are in it');
    await camera.stop();
    expect(errors).toEqual([]);
    expect(seen.at(-1)!.capturedAt - seen[0]!.capturedAt).toBeGreaterThan(700);
  }, 60_000);

  test('that is not there, or is no video, says so', async () => {
    expect((await failing(takeSnapshot(settings(join(folder, 'none.mp4')), never))).code).toBe('EDGE_FILE_NOT_FOUND');
    expect((await failing(takeSnapshot(settings(__filename), never))).code).toBe('EDGE_SOURCE_CONTENT');
  });
});

describe('a USB camera', () => {
  itWith(['ffmpeg'], 'that is not plugged in says so, and FFmpeg agrees', async () => {
    const error = await failing(takeSnapshot(settings('/dev/video97'), never));
    expect(error).toMatchObject({ code: 'EDGE_DEVICE_NOT_FOUND', message: expect.stringMatching(/\/dev\/video97/) });
    let said = '';
    try {
      execFileSync(await findFfmpeg(), ['-hide_banner', ...deviceArguments('/dev/video97', 'linux'), '-f', 'null', '-'], {
        stdio: 'pipe',
      });
    } catch (thrown) {
      said = String((thrown as { stderr: Buffer }).stderr);
    }
    expect(failure(said, { kind: 'device', shown: '/dev/video97', secrets: [] }, 1).code).toBe('EDGE_DEVICE_NOT_FOUND');
  });

  itWith(['ffmpeg'], 'a device that is no camera is refused', async () => {
    expect((await failing(takeSnapshot(settings('/dev/null'), never))).code).toMatch(/^EDGE_DEVICE_(NOT_FOUND|PERMISSION)$/);
  });

  test.each([
    ['[video4linux2,v4l2 @ 0x1] Cannot open video device /dev/video0: Permission denied', 'EDGE_DEVICE_PERMISSION'],
    ['[video4linux2,v4l2 @ 0x1] ioctl(VIDIOC_STREAMON): Device or resource busy', 'EDGE_DEVICE_BUSY'],
    ["Unknown input format: 'v4l2'", 'EDGE_FFMPEG_FAILED'],
    ['[dshow @ 0x1] Could not find video device with name [Camera] among source devices', 'EDGE_DEVICE_NOT_FOUND'],
  ])('"%s" is %s', (said, code) => {
    expect(failure(said, { kind: 'device', shown: '/dev/video0', secrets: [] }, 1).code).toBe(code);
  });
});

test('no FFmpeg: the error says how to install it here', async () => {
  const error = await failing(takeSnapshot(settings('rtsp://127.0.0.1/live', { ffmpeg: '/no/such/ffmpeg' }), never));
  expect(error).toMatchObject({ code: 'EDGE_FFMPEG_MISSING', message: expect.stringMatching(/Run: /) });
});
