import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { RequestHandler } from 'express';

/**
 * Answers below the path of the public address too.
 *
 * The edge may take `/backstage` away before the request gets here, as Istio does in the cluster, or leave it, as a
 * plain reverse proxy does: both reach the same routes.
 */
export function withoutPrefix(baseUrl: string): RequestHandler {
  const prefix = new URL(baseUrl).pathname.replace(/\/+$/, '');
  return (request, _response, next) => {
    const rest = request.url.slice(prefix.length);
    if (prefix && request.url.startsWith(prefix) && (rest === '' || '/?'.includes(rest[0]))) {
      request.url = rest.startsWith('/') ? rest : `/${rest}`;
    }
    next();
  };
}

export const rootRouter = rootHttpRouterServiceFactory({
  configure({ app, config, applyDefaults }) {
    app.use(withoutPrefix(config.getString('backend.baseUrl')));
    applyDefaults();
  },
});
