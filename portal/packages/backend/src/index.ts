import { createBackend } from '@backstage/backend-defaults';
import { guestGuard, isGuestAllowed } from './guest';
import { keycloakSignIn } from './keycloak';
import { gitOpsPolicy } from './policy';
import { requestAction } from './requestAction';
import { rootRouter } from './rootRouter';
import { urlReader } from './urlReader';

const backend = createBackend();

backend.add(rootRouter);
backend.add(urlReader);

backend.add(import('@backstage/plugin-app-backend'));
backend.add(import('@backstage/plugin-proxy-backend'));
backend.add(import('@backstage/plugin-user-settings-backend'));

backend.add(import('@backstage/plugin-auth-backend'));
backend.add(keycloakSignIn);
backend.add(guestGuard);
if (isGuestAllowed(process.env)) {
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
}

backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(import('@backstage/plugin-catalog-backend-module-scaffolder-entity-model'));
backend.add(import('@backstage/plugin-catalog-backend-module-logs'));

backend.add(import('@backstage/plugin-scaffolder-backend'));
backend.add(requestAction);

backend.add(import('@backstage/plugin-permission-backend'));
backend.add(gitOpsPolicy);

// A portal that could not start has to end: only then does its supervisor see it, and start it anew.
backend.start().catch((error: unknown) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
