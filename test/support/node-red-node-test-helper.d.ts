/** What the tests use of the helper; it ships no types. */
declare module 'node-red-node-test-helper' {
  import type { Node, NodeAPI } from 'node-red';

  type NodeSet = (RED: NodeAPI) => void;

  interface Helper {
    init(runtimePath?: string, settings?: Record<string, unknown>): void;
    settings(settings: Record<string, unknown>): void;
    startServer(done: () => void): void;
    stopServer(done: () => void): void;
    load(nodes: NodeSet | NodeSet[], flow: readonly unknown[], credentials?: Record<string, unknown>): Promise<void>;
    /** Every line that was logged since the flow was loaded, as calls of a spy. */
    log(): { args: [{ level: number; msg: unknown; id?: string }][] };
    unload(): Promise<void>;
    getNode(id: string): Node;
    url(): string;
  }

  const helper: Helper;
  export default helper;
}
