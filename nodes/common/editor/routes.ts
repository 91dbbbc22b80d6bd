/** What an admin route answers when it refuses. */
export interface RouteError {
  code: string;
  message: string;
  [detail: string]: unknown;
}

/** Relative to the editor, so that it works below any httpAdminRoot. Sends the editor's own token. */
export function getJson<T>(path: string): Promise<T> {
  return request({ url: path, dataType: 'json' });
}

export function postJson<T>(path: string, body: unknown): Promise<T> {
  return request({ url: path, type: 'POST', data: JSON.stringify(body), contentType: 'application/json', dataType: 'json' });
}

export function postBytes<T>(path: string, bytes: Blob): Promise<T> {
  return request({
    url: path,
    type: 'POST',
    data: bytes,
    processData: false,
    contentType: 'application/octet-stream',
    dataType: 'json',
  });
}

/** Rejects with a RouteError, whatever went wrong. jQuery, because Node-RED adds the access token to its requests. */
function request<T>(settings: JQuery.AjaxSettings): Promise<T> {
  return new Promise((resolve, reject) => {
    $.ajax(settings).then(
      (answer: T) => resolve(answer),
      (response: JQuery.jqXHR) => {
        const said = response.responseJSON as RouteError | undefined;
        if (said?.code) reject(said);
        else reject({ code: '', message: response.status ? `HTTP ${response.status} ${response.statusText}` : 'offline' });
      },
    );
  });
}
