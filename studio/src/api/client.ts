import type { Job, Problem } from './types';

/** A refusal of the server, or no answer at all; `problem.remedy` says what helps. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

const OFFLINE: Problem = {
  title: 'No connection',
  status: 0,
  detail: 'The motet server does not answer.',
  remedy: 'Start it again with: motet serve',
};

const CANCELLED: Problem = { title: 'Cancelled', status: 499, detail: 'The job was cancelled.' };

async function answer(request: Promise<Response>): Promise<Response> {
  let response: Response;
  try {
    response = await request;
  } catch {
    throw new ApiError(OFFLINE);
  }
  if (!response.ok) throw new ApiError(await problemOf(response));
  return response;
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback = { title: response.statusText, status: response.status, detail: '' };
  try {
    return { ...fallback, ...((await response.json()) as Problem) };
  } catch {
    return { ...fallback, detail: `The server answered ${response.status} ${response.statusText}.` };
  }
}

export async function get<T>(path: string): Promise<T> {
  return (await answer(fetch(`/api${path}`))).json() as Promise<T>;
}

export async function bytes(path: string): Promise<ArrayBuffer> {
  return (await answer(fetch(`/api${path}`))).arrayBuffer();
}

export async function send<T>(
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const options: RequestInit = { method, headers };
  if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json', ...headers };
    options.body = JSON.stringify(body);
  }
  const response = await answer(fetch(`/api${path}`, options));
  return (response.status === 204 ? {} : await response.json()) as T;
}

/** Upload a file as `file`. */
export function upload<T>(path: string, file: File, progress?: (share: number) => void): Promise<T> {
  return uploadForm<T>(path, [['file', file]], progress);
}

/** Upload several files as `files`, with fields. */
export function uploadAll<T>(
  path: string,
  files: readonly File[],
  progress: (share: number) => void,
  fields: Record<string, string>,
): Promise<T> {
  const named = files.map((file): [string, File] => ['files', file]);
  return uploadForm<T>(path, named, progress, fields);
}

/** fetch cannot report progress of uploads, XMLHttpRequest can. */
function uploadForm<T>(
  path: string,
  files: readonly [name: string, file: File][],
  progress: (share: number) => void = () => {},
  fields: Record<string, string> = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    for (const [name, file] of files) form.append(name, file);
    request.responseType = 'json';
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    request.onerror = () => reject(new ApiError(OFFLINE));
    request.onload = () => {
      if (request.status < 400) return resolve(request.response as T);
      const { status, statusText: title } = request;
      reject(new ApiError({ title, status, detail: '', ...(request.response as object) }));
    };
    request.open('POST', `/api${path}`);
    request.send(form);
  });
}

/**
 * Wait for a job's result.
 *
 * @throws ApiError when the job failed or was cancelled, or the server went away for good.
 */
export function finished(job: string, progress: (state: Job) => void): Promise<NonNullable<Job['result']>> {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/events?job=${job}`);
    let losses = 0;
    const end = (settle: () => void) => {
      events.close();
      settle();
    };
    const on = (name: Job['state'] | 'progress', handle: (state: Job) => void) =>
      events.addEventListener(name, (event) => {
        losses = 0;
        handle(JSON.parse((event as MessageEvent<string>).data) as Job);
      });
    const refuse = (problem: Problem) => end(() => reject(new ApiError(problem)));
    on('progress', progress);
    on('done', ({ result }) => end(() => resolve(result!)));
    on('failed', ({ problem }) => refuse(problem!));
    on('cancelled', () => refuse(CANCELLED));
    // A server that was stopped in the middle offers the job again; the result is the same.
    on('interrupted', () => void send('POST', `/jobs/${job}/restart`).catch((error: ApiError) => refuse(error.problem)));
    // The browser reconnects by itself and resumes after the last event it has seen.
    events.onerror = () => {
      losses += 1;
      if (losses > 5) refuse(OFFLINE);
    };
  });
}
