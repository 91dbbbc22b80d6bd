import type { FfmpegReport } from '../ffmpeg-report';
import { getJson, postJson, type RouteError } from './routes';

type Translate = (key: string, values?: Record<string, string | number>) => string;

/** Milliseconds between two questions how far an installation is. */
const PROGRESS_MS = 700;

/**
 * A piece of a dialog about FFmpeg: which one is used, or how to get one. It offers to fetch a ready-made one only where there
 * is none, and fetches it only after its licence was shown and agreed to.
 *
 *   <div id="edge-replay-ffmpeg"></div>     showFfmpeg('edge-replay-ffmpeg', this._, 'node-input-ffmpeg')
 *
 * @param fieldId of a field that names a program, where the dialog has one.
 */
export function showFfmpeg(id: string, translate: Translate, fieldId?: string): void {
  const place = document.getElementById(id);
  if (!place) return;
  const named = fieldId ? (document.getElementById(fieldId) as HTMLInputElement | null) : null;
  const piece = new FfmpegPiece(
    place,
    (key, values) => translate(`edge.ffmpeg.${key}`, values),
    () => named?.value.trim() ?? '',
  );
  named?.addEventListener('change', () => void piece.look());
  void piece.look();
}

class FfmpegPiece {
  constructor(
    private readonly place: HTMLElement,
    private readonly say: Translate,
    private readonly named: () => string,
  ) {
    place.className = 'edge-notice';
    place.setAttribute('role', 'status');
    place.setAttribute('aria-live', 'polite');
  }

  async look(): Promise<void> {
    const named = this.named();
    // What an environment variable holds is known at the next deploy.
    if (/^\$\{[^}]+\}$/.test(named)) {
      this.show(false, text(this.say('atDeploy')));
      return;
    }
    this.show(false, text(this.say('looking')));
    await this.report(postJson<FfmpegReport>('edgeloom/ffmpeg/look', { named }));
  }

  private async report(asked: Promise<FfmpegReport>): Promise<void> {
    try {
      const { used, error, offer, installed, installing } = await asked;
      if (installing) {
        this.show(false, text(this.say('installing', { percent: percentOf(installing) })));
        this.later(() => this.look());
      } else if (used) {
        const which = text(`FFmpeg ${used.version} · ${used.path}`);
        this.show(false, which, ...(used.ours ? [text(this.say('ours')), this.button('remove', () => this.remove())] : []));
      } else {
        const more = offer && !this.named() && !installed ? [this.button('offer', () => this.licence(offer))] : [];
        this.show(true, text(error?.message ?? ''), ...more);
      }
    } catch (thrown) {
      this.show(
        true,
        text((thrown as RouteError).message),
        this.button('again', () => this.look()),
      );
    }
  }

  /** What it is, under which licence, and whether that is agreed to. */
  private async licence(offer: NonNullable<FfmpegReport['offer']>): Promise<void> {
    const { text: licence } = await getJson<{ text: string }>('edgeloom/ffmpeg/licence');
    const shown = document.createElement('pre');
    shown.textContent = licence;
    shown.tabIndex = 0;
    shown.setAttribute('role', 'region');
    shown.setAttribute('aria-label', this.say('licence'));
    shown.style.cssText =
      'max-height: 220px; margin: 6px 0; padding: 6px; overflow: auto; white-space: pre-wrap; font-size: 11px;';
    const megabytes = Math.round(offer.download / 1e6);
    this.show(
      false,
      text(this.say('about', { package: offer.package, built: offer.built, commit: offer.commit, megabytes })),
      shown,
      this.button('agree', () => this.install(offer.licence)),
      this.button('cancel', () => this.look()),
    );
  }

  private async install(licence: string): Promise<void> {
    this.show(false, text(this.say('installing', { percent: 0 })));
    let going = true;
    const progress = () => {
      if (!going) return;
      void postJson<FfmpegReport>('edgeloom/ffmpeg/look', { named: '' })
        .then(({ installing }) => {
          if (going && installing) this.show(false, text(this.say('installing', { percent: percentOf(installing) })));
        })
        .catch(() => {})
        .finally(() => this.later(progress));
    };
    this.later(progress);
    await this.report(
      postJson<FfmpegReport>('edgeloom/ffmpeg/install', { licence }).finally(() => {
        going = false;
      }),
    );
  }

  private remove(): Promise<void> {
    return this.report(postJson<FfmpegReport>('edgeloom/ffmpeg/remove', {}));
  }

  /** Unless the dialog was closed meanwhile. */
  private later(what: () => void): void {
    setTimeout(() => this.place.isConnected && what(), PROGRESS_MS);
  }

  private button(key: string, act: () => Promise<void>): HTMLButtonElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'red-ui-button';
    button.style.margin = '6px 6px 0 0';
    button.dataset.act = key;
    button.textContent = this.say(key);
    button.addEventListener('click', () => {
      button.disabled = true;
      act().catch((thrown: unknown) => this.show(true, text((thrown as RouteError).message)));
    });
    return button;
  }

  private show(wrong: boolean, ...parts: HTMLElement[]): void {
    this.place.className = `edge-notice${wrong ? ' edge-error' : ''}`;
    // The bar at the side is for warnings and errors.
    this.place.style.borderLeftColor = wrong ? '' : 'transparent';
    this.place.replaceChildren(...parts);
  }
}

function text(words: string): HTMLElement {
  const line = document.createElement('div');
  line.textContent = words;
  return line;
}

function percentOf({ bytes, total }: { bytes: number; total: number }): number {
  return Math.floor((100 * bytes) / total);
}
