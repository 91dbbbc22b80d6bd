import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { find, ROOT } from '../support/needs';
import type { FlowNode } from '../support/node-red';

export interface Field {
  id: string;
  /** What a screen reader says. */
  name: string;
  visible: boolean;
}

export interface Look {
  theme: 'light' | 'dark';
  language: 'en-US' | 'zh-CN';
}

/** Longest that a step in the editor may take, in milliseconds. */
const PATIENCE = 60_000;

/** Node-RED's editor in a real Chromium, used by mouse and keyboard. */
export class Editor {
  /** Whatever went wrong in the page: console errors, exceptions, answers of 400 and more. */
  readonly faults: string[] = [];
  private placed = 0;

  private constructor(
    private readonly browser: Browser,
    private readonly context: BrowserContext,
    readonly page: Page,
    private readonly screenshots: string,
  ) {
    page.on('pageerror', (error) => this.faults.push(`exception: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      // Node-RED catches what a dialog's own handlers throw and logs it.
      const caught = /^(oneditprepare|oneditsave|oneditcancel|oneditdelete|oneditresize)\b/.test(message.text());
      if (message.type() === 'error' || caught) this.faults.push(`console: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.faults.push(`${response.status()} ${response.url()}`);
    });
  }

  static async open(url: string, { theme, language }: Look, screenshots: string): Promise<Editor> {
    const browser = await chromium.launch({
      executablePath: find('chromium') ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    const context = await browser.newContext({ locale: language, viewport: { width: 1400, height: 1000 } });
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript({ path: join(__dirname, 'in-page.js') });
    const page = await context.newPage();
    const folder = join(ROOT, 'artifacts', 'screenshots', screenshots);
    mkdirSync(folder, { recursive: true });
    const editor = new Editor(browser, context, page, folder);
    // Node-RED's tips of the day, which fail by themselves now and then.
    const settings = { editor: { view: { 'view-show-tips': false } } };
    await context.request.post(`${url}settings/user`, { data: settings });
    await page.goto(url);
    await page.waitForSelector('.red-ui-palette-node');
    await page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
    if (theme === 'dark') await editor.goDark();
    return editor;
  }

  async close(): Promise<void> {
    await this.context.close();
    await this.browser.close();
  }

  /** Find the node in the palette as a person does and drag it onto the workspace. */
  async dragIn(type: string): Promise<void> {
    const { page } = this;
    const search = page.locator('#red-ui-palette-search input');
    await search.pressSequentially(type);
    const entry = page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
    await page.locator('.red-ui-palette-node[data-palette-type="inject"]').waitFor({ state: 'hidden' });
    await entry.scrollIntoViewIfNeeded();
    const from = (await entry.boundingBox())!;
    const chart = (await page.locator('#red-ui-workspace-chart').boundingBox())!;
    const to = { x: chart.x + 120 + (this.placed % 2) * 350, y: chart.y + 80 + Math.floor(this.placed / 2) * 90 };
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 12 });
    await page.mouse.up();
    await page.waitForFunction(`edgeloom.node(${JSON.stringify(type)}) !== null`);
    await search.press('Control+A');
    await search.press('Delete');
    await page.locator('.red-ui-palette-node[data-palette-type="inject"]').waitFor({ state: 'visible' });
    this.placed += 1;
  }

  /** Double-click on the node; a config node is opened by the plus beside the field of a node that uses it. */
  async openDialog(type: string): Promise<void> {
    const { id } = (await this.node(type))!;
    await this.page.locator(`[id="${id}"] .red-ui-flow-node`).first().dblclick();
    await this.page.waitForSelector('#dialog-form');
    await this.settled();
  }

  async openConfigDialog(user: string, property: string): Promise<void> {
    await this.openDialog(user);
    await this.page.click(`#node-input-btn-${property}-add`);
    await this.page.waitForSelector('#node-config-dialog-edit-form');
    await this.settled();
  }

  async fields(dialog: string): Promise<Field[]> {
    return this.inPage('fields', dialog);
  }

  async untranslated(dialog: string): Promise<string[]> {
    return this.inPage('untranslated', dialog);
  }

  async hardToRead(dialog: string, least: number): Promise<unknown[]> {
    return this.inPage('hardToRead', dialog, least);
  }

  async fill(dialog: string, prefix: string, values: Record<string, unknown>): Promise<string[]> {
    return this.inPage('fill', dialog, prefix, values);
  }

  async node(type: string): Promise<{ id: string; name: string; valid: boolean; validationErrors: string[] } | null> {
    return this.inPage('node', type);
  }

  async reference(type: string, config: string): Promise<string | null> {
    return this.inPage('reference', type, config);
  }

  /** Press Tab from the dialog's first field on; folded sections on the way are opened with Enter. @returns the fields met. */
  async tabThrough(dialog: string, presses: number): Promise<Set<string>> {
    const met = new Set<string>();
    await this.page.evaluate(
      `document.getElementById(${JSON.stringify(dialog)}).closest('.red-ui-tray').querySelector('button').focus()`,
    );
    for (let press = 0; press < presses; press++) {
      const { id, folded } = await this.inPage<{ id: string; folded: boolean }>('focused', dialog);
      if (id) met.add(id);
      if (folded) await this.page.keyboard.press('Enter');
      await this.page.keyboard.press('Tab');
    }
    return met;
  }

  /** Every choice of every list that can be made, so that rows which only some choices show are seen too; the first choice again in the end. */
  async tryChoices(dialog: string, look: () => Promise<void>): Promise<void> {
    const selects = this.page.locator(`#${dialog} select:visible`);
    for (let index = 0; index < (await selects.count()); index++) {
      const select = selects.nth(index);
      const before = await select.inputValue();
      const values: string[] = await select
        .locator('option:not(:disabled)')
        .evaluateAll((options) => options.map((option) => (option as unknown as { value: string }).value));
      for (const value of values.slice(0, 12)) {
        await select.selectOption(value);
        await look();
      }
      await select.selectOption(before);
    }
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(this.screenshots, `${name}.png`) });
  }

  async done(button: 'node-dialog-ok' | 'node-config-dialog-ok'): Promise<void> {
    await this.page.click(`#${button}`);
    await this.page.waitForSelector(`#${button}`, { state: 'detached' });
    await this.settled();
  }

  /** Click Deploy. A question that Node-RED asks before (a node that is not valid) is a fault. */
  async deploy(): Promise<void> {
    const answer = this.page.waitForResponse(
      (response) => response.url().endsWith('/flows') && response.request().method() === 'POST',
    );
    await this.page.click('#red-ui-header-button-deploy');
    const asked = this.page.locator('.red-ui-notification:has(button)').first();
    const first = await Promise.race([
      answer.then(() => ''),
      asked.waitFor({ state: 'visible' }).then(
        () => asked.textContent(),
        () => new Promise<never>(() => {}),
      ),
    ]);
    if (first) throw new Error(`Node-RED asked before it deployed: ${first}`);
  }

  /** Leave dialogs that a failed test left open. */
  async closeDialogs(): Promise<void> {
    for (let open = 0; open < 4 && (await this.page.locator('.red-ui-tray').count()) > 0; open++) {
      await this.page.locator('.red-ui-tray').last().locator('#node-dialog-cancel, #node-config-dialog-cancel').click();
      await this.settled();
    }
  }

  /** Node-RED slides its trays in and out. */
  private async settled(): Promise<void> {
    await this.inPage('still');
  }

  private async goDark(): Promise<void> {
    await this.page.evaluate("RED.actions.invoke('core:show-user-settings')");
    await this.page.selectOption('#user-settings-view-dark-theme', 'dark');
    await this.page.locator('.red-ui-tray-toolbar button.primary').click();
    await this.page.waitForSelector('html.nr-theme-dark');
    await this.settled();
  }

  private inPage<T>(call: string, ...values: unknown[]): Promise<T> {
    return this.page.evaluate(`edgeloom.${call}(${values.map((value) => JSON.stringify(value)).join(', ')})`) as Promise<T>;
  }
}

/** What the palette's own examples set on a node of this type: values that are right, whatever fields it has. */
export function exampleOf(type: string): FlowNode | undefined {
  const folder = join(ROOT, 'examples');
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.json'));
  return files
    .flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as FlowNode[])
    .find((node) => node.type === type);
}
