import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The least CPU time a frame can cost with these two libraries: sharp's decode to 300x300, then a bare run; in its own process. */
export class CpuFloor {
  private constructor(private readonly child: ChildProcess) {}

  static async open(model: string): Promise<CpuFloor> {
    const child = fork(__filename, [model], { serialization: 'advanced' });
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the floor process ended with ${code}`)));
    });
    return new CpuFloor(child);
  }

  /** Milliseconds of CPU, user and system, of the whole process per frame. */
  cpuPerFrame(pictures: Uint8Array[], frames: number): Promise<number> {
    return new Promise((resolve) => {
      this.child.once('message', (value) => resolve(value as number));
      this.child.send({ pictures, frames });
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.disconnect();
    await ended;
  }
}

async function serve(model: string): Promise<void> {
  const sharp = (await import('sharp')).default;
  const ort = await import('onnxruntime-node');
  sharp.concurrency(1);
  sharp.cache(false);
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Math.max(1, Math.min(4, availableParallelism() - 1)),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const input = session.inputNames[0]!;
  const frame = async (jpeg: Uint8Array) => {
    const pixels = await sharp(jpeg).resize(300, 300, { fit: 'contain' }).removeAlpha().raw().toBuffer();
    await session.run({ [input]: new ort.Tensor('uint8', pixels, [1, 300, 300, 3]) });
  };
  process.on('message', async ({ pictures, frames }: { pictures: Uint8Array[]; frames: number }) => {
    for (let warm = 0; warm < 5; warm++) await frame(pictures[warm % pictures.length]!);
    const before = process.cpuUsage();
    for (let index = 0; index < frames; index++) await frame(pictures[index % pictures.length]!);
    const { user, system } = process.cpuUsage(before);
    process.send!((user + system) / 1000 / frames);
  });
  process.on('disconnect', () => process.exit());
  process.send!('ready');
}

if (require.main === module) void serve(process.argv[2]!);
