import { cleanBinary, findBlobs } from '../../../../core/vision/motion/blobs';

/** A binary picture from rows of '#' and '.'. */
const picture = (...rows: string[]) => ({
  width: rows[0]!.length,
  height: rows.length,
  binary: Uint8Array.from(rows.join(''), (mark) => (mark === '#' ? 1 : 0)),
});
const rowsOf = (binary: Uint8Array, width: number) =>
  Array.from({ length: binary.length / width }, (_, y) =>
    [...binary.subarray(y * width, (y + 1) * width)].map((value) => (value ? '#' : '.')).join(''),
  );

describe('connected parts of a binary picture', () => {
  it('hang together over corners, and come largest first', () => {
    const { binary, width, height } = picture('#......', '.#.....', '..#..##', '.....##', '.......', '...#...');
    const blobs = findBlobs(binary, new Uint32Array(binary.length), { width, height }, 1, 10);
    expect(blobs).toEqual([
      { left: 5, top: 2, right: 6, bottom: 3, pixels: 4 },
      { left: 0, top: 0, right: 2, bottom: 2, pixels: 3 },
      { left: 3, top: 5, right: 3, bottom: 5, pixels: 1 },
    ]);
  });

  it('do not hang together over the picture edge', () => {
    const { binary, width, height } = picture('..#', '#..');
    expect(findBlobs(binary, new Uint32Array(6), { width, height }, 1, 10)).toHaveLength(2);
  });

  it('are left out where they are small or too many', () => {
    const rows = ['#.##.###', '........', '####.#..'];
    const sizes = (least: number, most: number) => {
      const { binary, width, height } = picture(...rows);
      return findBlobs(binary, new Uint32Array(binary.length), { width, height }, least, most).map(({ pixels }) => pixels);
    };
    expect(sizes(1, 10)).toEqual([4, 3, 2, 1, 1]);
    expect(sizes(2, 10)).toEqual([4, 3, 2]);
    expect(sizes(1, 2)).toEqual([4, 3]);
  });

  it('may be the whole picture', () => {
    const binary = new Uint8Array(64 * 48).fill(1);
    const [blob] = findBlobs(binary, new Uint32Array(binary.length), { width: 64, height: 48 }, 1, 10);
    expect(blob).toEqual({ left: 0, top: 0, right: 63, bottom: 47, pixels: 64 * 48 });
  });
});

describe('cleaning', () => {
  it('removes specks, closes pinholes, and grows by one pixel', () => {
    const { binary, width, height } = picture(
      '..........',
      '.#........',
      '....###...',
      '....#.#...',
      '....###...',
      '..........',
      '..........',
    );
    cleanBinary(binary, new Uint8Array(binary.length), width, height);
    expect(rowsOf(binary, width)).toEqual([
      '..........',
      '.....#....',
      '....###...',
      '...#####..',
      '....###...',
      '.....#....',
      '..........',
    ]);
  });
});
