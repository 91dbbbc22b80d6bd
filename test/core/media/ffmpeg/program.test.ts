import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Ffmpeg, findFfmpeg, inputArguments, type VideoInput } from '../../../../core/media/ffmpeg';
import { deviceArguments } from '../../../../core/media/ffmpeg/input';
import { pictureArguments, WHOLE } from '../../../../core/media/ffmpeg/view';
import { find, itWith } from '../../../support/needs';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-ffmpeg-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `ffmpeg -version` prints, shortened. */
const printed = (version: string, formats: string) =>
  `ffmpeg version ${version} Copyright (c) 2000-2026 the FFmpeg developers\nconfiguration: --enable-gpl\nlibavutil 1. 2. 3\nlibavformat    ${formats} / ${formats}\n`;
const VERSIONS = {
  '4.1': Ffmpeg.parse('/4', printed('4.1.11-0+deb10u1', '58. 20.100')),
  '4.4': Ffmpeg.parse('/44', printed('n4.4.1', '58. 76.100')),
  '5.1': Ffmpeg.parse('/5', printed('5.1.9-0+deb12u1', '59. 27.100')),
  '7.1': Ffmpeg.parse('/7', printed('7.1-full_build-www.gyan.dev', '61.  7.100')),
  '8.0': Ffmpeg.parse('/8', printed('N-121000-gabcdef', '62.  3.100')),
};

function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('an FFmpeg', () => {
  test('is known by its libavformat, whatever its version calls itself', () => {
    expect(VERSIONS['4.4']).toMatchObject({ version: 'n4.4.1', since5: false, since6: false });
    expect(VERSIONS['5.1']).toMatchObject({ version: '5.1.9-0+deb12u1', since5: true, since6: false });
    expect(VERSIONS['8.0']).toMatchObject({ version: 'N-121000-gabcdef', since5: true, since6: true });
    expect(Ffmpeg.parse('/x', printed('5.0-dev', '59.  4.100'))).toMatchObject({ since5: false });
  });

  test.each([
    ['one before 4', () => Ffmpeg.parse('/3', printed('3.4.8', '57. 83.100')), /3\.4\.8, at least 4/],
    ['something else', () => Ffmpeg.parse('/bin/true', 'hello'), /does not say that it is FFmpeg/],
  ])('%s is refused with a code', (_name, parse, says) => {
    expect(parse).toThrow(expect.objectContaining({ code: 'EDGE_FFMPEG_FAILED', message: expect.stringMatching(says) }));
  });

  test('is asked once, and again when it was replaced or could not answer', async () => {
    const count = join(folder, 'count');
    const path = program('counted', `echo x >> ${count}\necho "${printed('6.1', '60. 16.100')}"`);
    const [first, second] = await Promise.all([Ffmpeg.at(path), Ffmpeg.at(path)]);
    expect(first).toBe(second);
    expect(first.version).toBe('6.1');
    program('counted', `echo "${printed('8.0', '62. 3.100')}"`);
    expect((await Ffmpeg.at(path)).version).toBe('8.0');
    const broken = program('broken', 'exit 3');
    await expect(Ffmpeg.at(broken)).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED' });
    await expect(Ffmpeg.at('/no/such/ffmpeg')).rejects.toMatchObject({ code: 'EDGE_FFMPEG_FAILED' });
  });

  test('is looked for where it is named, on the PATH, then where the editor installs one', async () => {
    const installed = join(folder, 'installed');
    mkdirSync(installed);
    writeFileSync(join(installed, 'ffmpeg'), '');
    chmodSync(join(installed, 'ffmpeg'), 0o755);
    const before = process.env.PATH;
    try {
      process.env.PATH = ['/nowhere', folder].join(delimiter);
      expect(await findFfmpeg('', installed)).toBe(join(installed, 'ffmpeg'));
      const onPath = program('ffmpeg', 'exit 0');
      expect(await findFfmpeg('', installed)).toBe(onPath);
      expect(await findFfmpeg(join(installed, 'ffmpeg'), installed)).toBe(join(installed, 'ffmpeg'));
      process.env.PATH = '/nowhere';
      await expect(findFfmpeg()).rejects.toMatchObject({ code: 'EDGE_FFMPEG_MISSING', message: expect.stringMatching(/Run: /) });
    } finally {
      process.env.PATH = before;
    }
  });

  itWith(['ffmpeg'], 'names only the hardware decoders that can really be opened', async () => {
    const ffmpeg = await Ffmpeg.at(find('ffmpeg')!);
    for (const name of await ffmpeg.hardware()) expect(['cuda', 'vaapi', 'qsv', 'drm', 'videotoolbox']).toContain(name);
    const path = program(
      'chips',
      'case "$*" in *-hwaccels*) printf "Hardware:\\nvdpau\\ncuda\\nvaapi\\n";; *vaapi*) exit 0;; *) exit 1;; esac',
    );
    expect(await Ffmpeg.parse(path, printed('7.1', '61. 7.100')).hardware()).toEqual(['vaapi']);
  });
});

describe('the arguments', () => {
  const stream = (secret: boolean, url = 'rtsp://ann:pw@cam/live'): VideoInput => ({
    kind: 'stream',
    url,
    transport: 'auto',
    secret,
  });
  const options = { silenceMs: 5000, keyFramesOnly: false, decoder: '' };
  const line = (version: keyof typeof VERSIONS, input: VideoInput, more = {}) =>
    inputArguments(VERSIONS[version], input, { ...options, ...more }).values.join(' ');

  test('name a time limit as the version understands it', () => {
    expect(line('4.1', stream(false))).toContain('-stimeout 5000000');
    expect(line('4.1', stream(false))).not.toMatch(/-timeout/);
    expect(line('5.1', stream(false))).toContain('-timeout 5000000');
    expect(line('8.0', stream(false, 'rtmp://cam/live'))).toContain('-rw_timeout 5000000');
    expect(pictureArguments(VERSIONS['4.4'], WHOLE, 5)).toContain('-vsync');
    expect(pictureArguments(VERSIONS['7.1'], WHOLE, 5)).toContain('-fps_mode');
  });

  test('hold no password where the version can read it from its standard input', () => {
    const { values, script } = inputArguments(VERSIONS['5.1'], stream(true), options);
    expect(values.join(' ')).not.toContain('pw');
    expect(script).toContain("file 'rtsp://ann:pw@cam/live'");
    expect(script).toContain('option timeout 5000000');
    expect(inputArguments(VERSIONS['4.4'], stream(true), options).script).toBeUndefined();
  });

  test('say how RTSP travels, what decodes and what is passed over', () => {
    expect(line('5.1', stream(false))).toContain('-rtsp_flags prefer_tcp');
    expect(line('5.1', { ...stream(false), transport: 'udp' } as VideoInput)).toContain('-rtsp_transport udp');
    expect(line('5.1', stream(false), { decoder: 'vaapi' })).toContain('-hwaccel vaapi');
    expect(line('5.1', stream(false), { decoder: 'h264_v4l2m2m' })).toContain('-c:v h264_v4l2m2m');
    expect(line('5.1', stream(false), { keyFramesOnly: true })).toContain('-skip_frame nokey');
  });

  test('let nothing from the network open a file, and a file open nothing from the network', () => {
    const whitelist = (text: string) => /-protocol_whitelist (\S+)/.exec(text)![1]!.split(',');
    expect(whitelist(line('5.1', stream(false, 'https://cam/live.m3u8')))).not.toContain('file');
    expect(whitelist(line('5.1', stream(true)))).not.toContain('file');
    expect(whitelist(line('5.1', { kind: 'file', path: '/a.mp4' }))).toEqual(['file', 'pipe', 'crypto', 'data']);
  });

  test('name a device as each system does', () => {
    expect(deviceArguments('/dev/video2', 'linux')).toEqual(['-f', 'v4l2', '-i', '/dev/video2']);
    expect(deviceArguments('0', 'linux')).toEqual(['-f', 'v4l2', '-i', '/dev/video0']);
    expect(deviceArguments('Integrated Camera', 'win32')).toEqual(['-f', 'dshow', '-i', 'video=Integrated Camera']);
    expect(deviceArguments('0', 'darwin')).toContain('0:none');
  });
});
