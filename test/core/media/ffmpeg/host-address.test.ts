import { isStatic, withHostAddress } from '../../../../core/media/ffmpeg/host-address';

describe('the address that a static FFmpeg gets', () => {
  it.each([
    'rtsp://10.0.0.9:554/stream1',
    'rtsp://user:p%40ss@10.0.0.9/stream1',
    'rtsp://[fe80::1]:554/stream1',
    '/dev/video0',
    'C:\\videos\\yard.mp4',
    '',
  ])('"%s" needs nothing', async (url) => {
    expect(await withHostAddress(url)).toBe(url);
  });

  it.each([
    ['rtsp://localhost:8554/a?b=c#d', /^rtsp:\/\/(127\.0\.0\.1|\[::1\]):8554\/a\?b=c#d$/],
    ['rtsp://user:p@ss@localhost/stream1', /^rtsp:\/\/user:p@ss@(127\.0\.0\.1|\[::1\])\/stream1$/],
    ['http://localhost', /^http:\/\/(127\.0\.0\.1|\[::1\])$/],
  ])('of "%s" has a number for the name', async (url, expected) => {
    expect(await withHostAddress(url)).toMatch(expected);
  });

  it('is an error without the password where there is no such name', async () => {
    const looking = withHostAddress('rtsp://user:hunter22@no-such-camera.invalid/stream1');
    await expect(looking).rejects.toMatchObject({
      code: 'EDGE_SOURCE_UNREACHABLE',
      message: expect.not.stringContaining('hunter22'),
    });
  });

  it('is for those that say so', () => {
    expect(['N-47683-g0e8eb07980-static', '7.0.2-static', '5.1.9-0+deb12u1', 'n7.1'].map(isStatic)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
