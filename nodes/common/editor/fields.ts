export interface Choice {
  value: string;
  label: string;
}

/** Fill a <select>. A value that is none of the choices (an environment variable, one of a newer version) is kept and shown. */
export function fillSelect(select: HTMLSelectElement, choices: readonly Choice[], value: string): void {
  const known = choices.some((choice) => choice.value === value) || value === '';
  const options = (known ? choices : [...choices, { value, label: value }]).map(
    (choice) => new Option(choice.label, choice.value),
  );
  select.replaceChildren(...options);
  select.value = value;
}

/** Show the rows `[data-show-for~=VALUE]` of the dialog for the select's value, now and at each change; hide the others. */
export function showFor(select: HTMLSelectElement, rows: Iterable<HTMLElement>): void {
  const all = [...rows];
  const update = () => {
    for (const row of all) row.hidden = !(row.dataset.showFor ?? '').split(' ').includes(select.value);
  };
  select.addEventListener('change', update);
  update();
}

/** An element of the open dialog by its id. */
export function field<T extends HTMLElement = HTMLInputElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element #${id} in the dialog`);
  return element as T;
}

/**
 * The look of the palette's dialogs: labels wide enough for their words, folded sections (<details class="edge-section">) that
 * work from the keyboard, hints under fields. Node-RED's own colours, so that dark themes are right.
 */
export function useStyle(): void {
  if (document.getElementById('edgeloom-style')) return;
  const style = document.createElement('style');
  style.id = 'edgeloom-style';
  style.textContent = STYLE;
  document.head.append(style);
}

/** Open the folded sections in which something was set or is wrong, so that nothing of consequence is out of sight. */
export function openSections(dialog: HTMLElement, node: object): void {
  const { defaults } = (node as { _def: { defaults: Record<string, { value: unknown }> } })._def;
  for (const section of dialog.querySelectorAll<HTMLDetailsElement>('details.edge-section')) {
    const fields = section.querySelectorAll<HTMLElement>('[id^="node-input-"], [id^="node-config-input-"]');
    section.open = [...fields].some((element) => {
      const name = element.id.replace(/^node-(config-)?input-/, '');
      const value = (node as Record<string, unknown>)[name];
      const set = value !== undefined && String(value) !== String(defaults[name]?.value ?? '');
      return set || element.classList.contains('input-error');
    });
  }
}

const STYLE = `
.edge-form .form-row > label:first-child { width: 150px; vertical-align: middle; }
.edge-form .form-row > input[type=text],
.edge-form .form-row > input[type=password],
.edge-form .form-row > select,
.edge-form .form-row > .edge-field,
.edge-form .form-row > .red-ui-typedInput-container { width: calc(100% - 160px); }
.edge-form .form-row > input[type=text].edge-short { width: 110px; }
.edge-form label > i.fa { width: 16px; text-align: center; }
.edge-form .form-row > .edge-field { display: inline-block; vertical-align: middle; }
.edge-form [hidden] { display: none !important; }
.edge-form .edge-unit { margin-left: 6px; color: var(--red-ui-secondary-text-color); }
.edge-form .edge-hint { margin: -6px 0 12px 155px; color: var(--red-ui-secondary-text-color); font-size: 12px; }
.edge-form details.edge-section { border-top: 1px solid var(--red-ui-secondary-border-color); padding-top: 8px; margin-top: 4px; }
.edge-form details.edge-section > summary { cursor: pointer; padding: 2px 0 8px; color: var(--red-ui-primary-text-color); }
.edge-form details.edge-section > summary:focus-visible { outline: 2px solid var(--red-ui-form-input-focus-color); }
.edge-form .edge-facts { margin: 0 0 12px 155px; display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; font-size: 12px; color: var(--red-ui-primary-text-color); }
.edge-form .edge-facts dt { color: var(--red-ui-secondary-text-color); font-weight: normal; }
.edge-form .edge-facts dd { margin: 0; overflow-wrap: anywhere; }
.edge-form .edge-notice { margin: 0 0 12px 155px; padding: 6px 10px; border-left: 3px solid var(--red-ui-text-color-warning); overflow-wrap: anywhere; }
.edge-form .edge-picture { display: block; margin: 0 0 8px 155px; max-width: calc(100% - 160px); max-height: 420px; }
.edge-form .edge-outcome { margin-top: 0; }
.edge-form .edge-wanted { border-color: var(--red-ui-text-color-warning) !important; box-shadow: 0 0 0 1px var(--red-ui-text-color-warning); }
.edge-form .edge-notice.edge-error { border-left-color: var(--red-ui-text-color-error); }
`;
