import { OAuth2 } from '@backstage/core-app-api';
import { SignInPage } from '@backstage/core-components';
import {
  ApiBlueprint,
  type BackstageIdentityApi,
  configApiRef,
  createApiRef,
  createFrontendModule,
  discoveryApiRef,
  oauthRequestApiRef,
  type ProfileInfoApi,
  type SessionApi,
  useApi,
} from '@backstage/frontend-plugin-api';
import { SignInPageBlueprint, type SignInPageProps } from '@backstage/plugin-app-react';

const keycloakApiRef = createApiRef<ProfileInfoApi & BackstageIdentityApi & SessionApi>({
  id: 'appgear.auth.keycloak',
});

const keycloakApi = ApiBlueprint.make({
  name: 'keycloak',
  params: defineParams =>
    defineParams({
      api: keycloakApiRef,
      deps: { discoveryApi: discoveryApiRef, oauthRequestApi: oauthRequestApiRef, configApi: configApiRef },
      factory: ({ discoveryApi, oauthRequestApi, configApi }) =>
        OAuth2.create({
          configApi,
          discoveryApi,
          oauthRequestApi,
          provider: { id: 'oidc', title: 'Keycloak', icon: () => null },
          environment: configApi.getOptionalString('auth.environment'),
          defaultScopes: ['openid', 'profile', 'email'],
        }),
    }),
});

const keycloak = {
  id: 'keycloak',
  title: 'Keycloak',
  message: 'Entre com a sua conta da plataforma',
  apiRef: keycloakApiRef,
};

/** Keycloak for everybody; a guest besides where the environment is development, which the backend checks anew. */
const Page = (props: SignInPageProps) => {
  const config = useApi(configApiRef);
  const title = config.getOptionalString('app.title') ?? 'AppGear Studio';
  const isDevelopment = config.getOptionalString('auth.environment') === 'development';
  return <SignInPage {...props} title={title} align="center" providers={isDevelopment ? ['guest', keycloak] : [keycloak]} />;
};

const page = SignInPageBlueprint.make({ params: { loader: async () => Page } });

export const signIn = createFrontendModule({ pluginId: 'app', extensions: [keycloakApi, page] });
