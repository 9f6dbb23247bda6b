import { coreServices, createBackendModule } from '@backstage/backend-plugin-api';
import type { Config } from '@backstage/config';
import { InputError } from '@backstage/errors';

/** Guests exist where the process itself was started for development: anything else, unset included, is production. */
export function isGuestAllowed(environment: NodeJS.ProcessEnv): boolean {
  return environment.NODE_ENV === 'development';
}

/** Throws where the configuration offers guest sign-in and the process or the configuration is not for development. */
export function refuseGuest(config: Config, environment: NodeJS.ProcessEnv): void {
  if (!config.has('auth.providers.guest')) {
    return;
  }
  if (!isGuestAllowed(environment)) {
    throw new InputError(
      'auth.providers.guest só vale com NODE_ENV=development: retire-o da configuração deste ambiente',
    );
  }
  if (config.getOptionalString('auth.environment') !== 'development') {
    throw new InputError('auth.providers.guest só vale com auth.environment: development');
  }
}

/** Stops the start of a portal that would let anybody in. */
export const guestGuard = createBackendModule({
  pluginId: 'auth',
  moduleId: 'guest-guard',
  register(reg) {
    reg.registerInit({
      deps: { config: coreServices.rootConfig },
      async init({ config }) {
        refuseGuest(config, process.env);
      },
    });
  },
});
