import { field, fillSelect } from '../common/editor/fields';
import { getJson } from '../common/editor/routes';
import { notice, type Translate } from './facts.editor';

/** What the route `providers` answers. */
interface ProviderState {
  id: string;
  present: boolean;
  reason?: string;
}

/**
 * Offer what can compute here. What cannot is shown and not to be chosen, with the reason in a line below; the one that a flow
 * asks for stays chosen, for another machine may have it. Where no native engine runs, that is said beside the model's facts.
 */
export async function showEngine(node: { executionProvider?: string }, t: Translate): Promise<void> {
  const select = field<HTMLSelectElement>('node-config-input-executionProvider');
  const chosen = node.executionProvider || 'auto';
  const label = (id: string) => t(`edge-model.provider.${id}`);
  // Until the runtime has tried them, which takes a moment the first time.
  fillSelect(
    select,
    ['auto', 'cpu'].map((value) => ({ value, label: label(value) })),
    chosen,
  );
  const states = await getJson<ProviderState[]>('edgeloom/providers').catch(() => []);
  if (!select.isConnected || states.length === 0) return;
  const current = select.value;
  fillSelect(
    select,
    [{ value: 'auto', label: label('auto') }, ...states.map(({ id }) => ({ value: id, label: label(id) }))],
    current,
  );
  for (const option of select.options) {
    const state = states.find(({ id }) => id === option.value);
    if (!state || state.present || state.id === 'cpu') continue;
    option.text = t('edge-model.provider.absent', { name: option.text });
    option.disabled = option.value !== current;
  }
  const native = states.find(({ id }) => id === 'cpu');
  if (native && !native.present) {
    field('edge-model-engine').replaceChildren(notice(t('edge-model.notice.webOnly', { reason: native.reason })));
    return;
  }
  const absent = states.filter(({ present }) => !present);
  if (absent.length > 0) field('edge-model-providers').replaceChildren(reasons(absent, t));
}

function reasons(absent: readonly ProviderState[], t: Translate): HTMLElement {
  const details = document.createElement('details');
  const summary = document.createElement('summary');
  details.className = 'edge-hint';
  summary.textContent = t('edge-model.hint.providers');
  const list = document.createElement('ul');
  details.append(summary, list);
  for (const { id, reason } of absent) {
    const line = document.createElement('li');
    line.textContent = t('edge-model.hint.provider', { name: t(`edge-model.provider.${id}`), reason });
    list.append(line);
  }
  return details;
}
