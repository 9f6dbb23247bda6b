import { createBackendModule } from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { oidcAuthenticator } from '@backstage/plugin-auth-backend-module-oidc-provider';
import {
  authProvidersExtensionPoint,
  createOAuthAuthenticator,
  createOAuthProviderFactory,
  createSignInResolverFactory,
  type AuthResolverContext,
  type OAuthAuthenticatorResult,
  type SignInInfo,
} from '@backstage/plugin-auth-node';
import { type Tenancy, tenancyOf } from './tenancy';

type Initialized = ReturnType<typeof oidcAuthenticator.initialize>;
type Profile = Awaited<ReturnType<typeof oidcAuthenticator.authenticate>>['fullProfile'];
type Info = SignInInfo<OAuthAuthenticatorResult<Profile>>;

/**
 * Backstage's OIDC authenticator, with two differences.
 *
 * Keycloak is asked for its metadata again when the last answer was a failure, so that a portal that starts before it
 * needs no restart. And a visitor without a session gets the login form: `prompt` is `auto` unless configured.
 */
class Keycloak {
  private attempt?: Initialized;

  constructor(private readonly input: Parameters<typeof oidcAuthenticator.initialize>[0]) {}

  async ready(): Promise<Initialized> {
    const attempt = (this.attempt ??= this.begin());
    try {
      await attempt.promise;
    } catch (error) {
      this.attempt = undefined;
      throw error;
    }
    return attempt;
  }

  private begin(): Initialized {
    const begun = oidcAuthenticator.initialize(this.input);
    return { ...begun, initializedPrompt: begun.initializedPrompt ?? 'auto' };
  }
}

const keycloakAuthenticator = createOAuthAuthenticator({
  defaultProfileTransform: oidcAuthenticator.defaultProfileTransform,
  scopes: oidcAuthenticator.scopes,
  initialize: input => new Keycloak(input),
  start: async (input, keycloak) => oidcAuthenticator.start(input, await keycloak.ready()),
  authenticate: async (input, keycloak) => oidcAuthenticator.authenticate(input, await keycloak.ready()),
  refresh: async (input, keycloak) => oidcAuthenticator.refresh(input, await keycloak.ready()),
  logout: async (input, keycloak) => oidcAuthenticator.logout?.(input, await keycloak.ready()),
});

/** The catalogue's user with this verified e-mail, as the resolver of the same name in Backstage, plus the tenancy. */
export async function signInCatalogUser(info: Info, context: AuthResolverContext) {
  const tenancy = tenancyOf(info.result.fullProfile.userinfo);
  if (!info.profile.email) {
    throw new AuthenticationError('o Keycloak não informou um e-mail verificado para este usuário');
  }
  return signIn(context, { filter: { 'spec.profile.email': info.profile.email } }, tenancy);
}

/** The catalogue's user of this name where there is one, else a user that Keycloak alone vouches for. */
export async function signInKeycloakUser(info: Info, context: AuthResolverContext) {
  const { userinfo } = info.result.fullProfile;
  const tenancy = tenancyOf(userinfo);
  // A name that Backstage could read as another one gives way to the subject, which Keycloak never reuses.
  const username = userinfo.preferred_username ?? '';
  const name = /^[a-z0-9]+([-_.][a-z0-9]+)*$/.test(username) && username.length <= 63 ? username : userinfo.sub;
  try {
    return await signIn(context, { entityRef: { name } }, tenancy);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'NotFoundError') {
      throw error;
    }
    const reference = `user:default/${name}`;
    return context.issueToken({ claims: { sub: reference, ent: [reference], ...tenancy } });
  }
}

async function signIn(
  context: AuthResolverContext,
  query: Parameters<AuthResolverContext['findCatalogUser']>[0],
  tenancy: Tenancy,
) {
  const { entity } = await context.findCatalogUser(query);
  const { ownershipEntityRefs } = await context.resolveOwnershipEntityRefs(entity);
  const namespace = entity.metadata.namespace ?? 'default';
  const sub = `user:${namespace}/${entity.metadata.name}`.toLowerCase();
  return context.issueToken({ claims: { sub, ent: ownershipEntityRefs, ...tenancy } });
}

export const keycloakSignIn = createBackendModule({
  pluginId: 'auth',
  moduleId: 'keycloak',
  register(reg) {
    reg.registerInit({
      deps: { providers: authProvidersExtensionPoint },
      async init({ providers }) {
        providers.registerProvider({
          providerId: 'oidc',
          factory: createOAuthProviderFactory({
            authenticator: keycloakAuthenticator,
            signInResolver: signInKeycloakUser,
            signInResolverFactories: {
              emailMatchingUserEntityProfileEmail: createSignInResolverFactory({ create: () => signInCatalogUser }),
              keycloakUser: createSignInResolverFactory({ create: () => signInKeycloakUser }),
            },
          }),
        });
      },
    });
  },
});
