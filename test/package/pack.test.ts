import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { describeWith, ROOT } from '../support/needs';
import { exampleFlows, LANGUAGES, NODE_TYPES } from '../support/palette';

describeWith(['detector', 'sample'], 'the tarball that npm pack makes', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 16e6,
  });
  const [{ files, size }] = JSON.parse(output) as [{ files: { path: string; size: number }[]; size: number }];
  const paths = files.map(({ path }) => path);

  it('holds every node with its editor file, icon, labels and help in both languages', () => {
    for (const type of NODE_TYPES) {
      const folder = `dist/nodes/${type}`;
      const wanted = [
        `${folder}/${type}.js`,
        `${folder}/${type}.html`,
        `${folder}/icons/${type}.svg`,
        ...LANGUAGES.flatMap((language) => [
          `${folder}/locales/${language}/${type}.json`,
          `${folder}/locales/${language}/${type}.html`,
        ]),
      ];
      expect(paths).toEqual(expect.arrayContaining(wanted));
    }
  });

  it('holds the compiled engine, file by file', () => {
    const sources = readdirSync(join(ROOT, 'core'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
      .map((path) => `dist/core/${path.replace(/\.ts$/, '.js')}`);
    expect(paths).toEqual(expect.arrayContaining(sources));
  });

  it('holds the examples, and the templates twice: with their pages, and where the Import dialog looks', () => {
    for (const { file } of exampleFlows()) {
      expect(paths).toContain(file);
      if (!file.startsWith('flows/')) continue;
      expect(paths).toContain(file.replace('flow.json', 'README.md'));
      const title = (file.split('/')[1] ?? '').replace(/-/g, ' ').replace(/^./, (letter) => letter.toUpperCase());
      expect(paths).toContain(`examples/templates/${title}.json`);
    }
  });

  it('holds the packaged detector and recording, the licence and what is owed to others', () => {
    const wanted = ['dist/models/coco-ssd-mobilenet-v2-int8.onnx', 'dist/samples/person-at-desk.mjpeg'];
    expect(paths).toEqual(
      expect.arrayContaining([
        ...wanted,
        'LICENSE',
        'LICENSE-Apache-2.0.txt',
        'NOTICE',
        'CHANGELOG.md',
        'README.md',
        'README.zh-CN.md',
      ]),
    );
  });

  it('holds nothing that is not used: no tests, benches, sources or dependencies', () => {
    expect(
      paths.filter((path) => /^(test|bench|core|nodes|scripts|node_modules|artifacts|dist\/bench)\/|\.ts$/.test(path)),
    ).toEqual([]);
    expect(paths.filter((path) => path.startsWith('dist/') && !/^dist\/(core|nodes|models|samples)\//.test(path))).toEqual([]);
  });

  it('asks only for packages that npm installs with it', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const installed = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));
    const strangers = paths
      .filter((path) => path.startsWith('dist/') && path.endsWith('.js'))
      .flatMap((path) =>
        [...readFileSync(join(ROOT, path), 'utf8').matchAll(/\b(?:require|import)\(["']([^."'][^"']*)["']\)/g)]
          .map(([, name = '']) =>
            name
              .split('/')
              .slice(0, name.startsWith('@') ? 2 : 1)
              .join('/'),
          )
          .filter((name) => !isBuiltin(name) && !installed.has(name))
          .map((name) => `${path} asks for ${name}`),
      );
    expect(strangers).toEqual([]);
  });

  it('is of a known size', () => {
    process.stdout.write(`pack_mb ${(size / 1e6).toFixed(1)} (${files.length} files)\n`);
    expect(size).toBeLessThan(12e6);
  });

  it('leaves no compiled file behind whose source is gone', () => {
    const orphans = paths
      .filter((path) => /^dist\/(core|nodes)\/.*\.js$/.test(path))
      .filter((path) => !existsSync(join(ROOT, path.replace(/^dist\//, '').replace(/\.js$/, '.ts'))));
    expect(orphans).toEqual([]);
  });
});
