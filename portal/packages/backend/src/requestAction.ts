import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import { createTemplateAction, scaffolderActionsExtensionPoint } from '@backstage/plugin-scaffolder-node';
import type { AuthService, DiscoveryService } from '@backstage/backend-plugin-api';

const SHOWN = 500; // characters of a refused answer in the task's log
const SECONDS = 60;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/**
 * The action `http:backstage:request`: one request to a plugin of this portal, as the user who runs the template.
 *
 * `path` names the plugin first (`/proxy/workspace/…`) and never leaves it. An answer other than 2xx fails the task.
 */
export function createRequestAction(services: { auth: AuthService; discovery: DiscoveryService }) {
  return createTemplateAction({
    id: 'http:backstage:request',
    description: 'Faz uma chamada a um plugin deste portal em nome de quem executa o template.',
    schema: {
      input: {
        method: z => z.enum(METHODS).default('GET').describe('Método HTTP'),
        path: z => z.string().describe('Caminho, a começar pelo plugin: /proxy/workspace/…'),
        headers: z => z.record(z.string(), z.string()).optional().describe('Cabeçalhos'),
        params: z => z.record(z.string(), z.string()).optional().describe('Parâmetros da consulta'),
        body: z => z.any().optional().describe('Corpo: objeto, enviado como JSON, ou texto'),
      },
      output: {
        code: z => z.number().describe('Código de resposta'),
        headers: z => z.record(z.string(), z.string()).describe('Cabeçalhos da resposta'),
        body: z => z.any().describe('Corpo da resposta'),
      },
    },
    async handler(ctx) {
      const { method, path, headers, params, body } = ctx.input;
      const { plugin, rest } = splitPath(path);
      const url = new URL(`${await services.discovery.getBaseUrl(plugin)}${rest}`);
      for (const [name, value] of Object.entries(params ?? {})) {
        url.searchParams.append(name, value);
      }
      const credentials = await ctx.getInitiatorCredentials();
      const { token } = await services.auth.getPluginRequestToken({ onBehalfOf: credentials, targetPluginId: plugin });
      const sent = new Headers(headers);
      sent.set('authorization', `Bearer ${token}`);
      if (body !== undefined && typeof body !== 'string' && !sent.has('content-type')) {
        sent.set('content-type', 'application/json');
      }
      ctx.logger.info(`${method} ${path}`);
      const answer = await fetch(url, {
        method,
        headers: sent,
        body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(SECONDS * 1000),
      });
      const text = await answer.text();
      if (!answer.ok) {
        throw new Error(`${method} ${path} respondeu ${answer.status}: ${text.slice(0, SHOWN)}`);
      }
      ctx.output('code', answer.status);
      ctx.output('headers', Object.fromEntries(answer.headers));
      ctx.output('body', answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text);
    },
  });
}

/** `/proxy/workspace/x` → plugin `proxy`, rest `/workspace/x`; what would reach past the plugin is refused. */
export function splitPath(path: string): { plugin: string; rest: string } {
  const [, plugin, rest = ''] = /^\/?([a-z][-a-z0-9]*)(\/.*)?$/.exec(path) ?? [];
  const steps = rest.split(/[?#]/)[0].split('/').map(step => decodeURIComponent(step));
  if (!plugin || steps.some(step => step === '.' || step === '..' || step.includes('/') || step.includes('\\'))) {
    throw new InputError(`caminho inválido: ${path}`);
  }
  return { plugin, rest };
}

export const requestAction = createBackendModule({
  pluginId: 'scaffolder',
  moduleId: 'request-action',
  register(reg) {
    reg.registerInit({
      deps: {
        actions: scaffolderActionsExtensionPoint,
        auth: coreServices.auth,
        discovery: coreServices.discovery,
      },
      async init({ actions, auth, discovery }) {
        actions.addActions(createRequestAction({ auth, discovery }));
      },
    });
  },
});
