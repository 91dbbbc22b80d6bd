/** A build of FFmpeg that can be fetched whole out of one npm package, which holds the program itself and runs no script. */
export interface Prebuilt {
  /** The npm package; npm's own name and the version of the package, not of FFmpeg. */
  name: string;
  version: string;
  /** The program inside the package. */
  path: string;
  /** Base64 of the tarball's SHA-512, as it was when it was tested. */
  sha512: string;
  /** Bytes to fetch, and of the program. */
  download: number;
  size: number;
  /** Of FFmpeg's sources, and when it was built from them. */
  commit: string;
  built: string;
  licence: 'GPL-3.0';
}

/**
 * By platform and processor. All were built by John Van Sickle as static programs for Linux, and are old: what is fetched must
 * never change, and no npm package with a newer one carries the program inside. Where a system has its own FFmpeg, that one is better.
 */
export const PREBUILT: Readonly<Record<string, Prebuilt>> = {
  'linux-x64': {
    name: '@ffmpeg-installer/linux-x64',
    version: '4.1.0',
    path: 'ffmpeg',
    sha512: 'Y5BWhGLU/WpQjOArNIgXD3z5mxxdV8c41C+U15nsE5yF8tVcdCGet5zPs5Zy3Ta6bU7haGpIzryutqCGQA/W8A==',
    download: 23_070_854,
    size: 68_174_760,
    commit: '0e8eb07980',
    built: '2018-12-10',
    licence: 'GPL-3.0',
  },
  'linux-arm64': {
    name: '@ffmpeg-installer/linux-arm64',
    version: '4.1.4',
    path: 'ffmpeg',
    sha512: 'dljEqAOD0oIM6O6DxBW9US/FkvqvQwgJ2lGHOwHDDwu/pX8+V0YsDL1xqHbj1DMX/+nP9rxw7G7gcUvGspSoKg==',
    download: 15_645_188,
    size: 32_808_336,
    commit: 'd81913e680',
    built: '2019-06-05',
    licence: 'GPL-3.0',
  },
  'linux-arm': {
    name: '@ffmpeg-installer/linux-arm',
    version: '4.1.3',
    path: 'ffmpeg',
    sha512: 'NDf5V6l8AfzZ8WzUGZ5mV8O/xMzRag2ETR6+TlGIsMHp81agx51cqpPItXPib/nAZYmo55Bl2L6/WOMI3A5YRg==',
    download: 14_829_516,
    size: 25_534_688,
    commit: 'd81913e680',
    built: '2019-06-05',
    licence: 'GPL-3.0',
  },
};

/** The build for a machine; null where there is none. */
export function prebuiltFor(platform: string = process.platform, architecture: string = process.arch): Prebuilt | null {
  const key = `${platform}-${architecture}`;
  return Object.hasOwn(PREBUILT, key) ? PREBUILT[key]! : null;
}
