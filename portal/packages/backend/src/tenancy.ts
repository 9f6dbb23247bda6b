import { AuthenticationError } from '@backstage/errors';

/** What Keycloak says of a user besides who it is; it stands in every token that the portal issues for that user. */
export type Tenancy = { tenant_id: string; workspace_ids: string[] };

const IDENTIFIER = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * The claims `tenant_id` and `workspace_ids`, checked.
 *
 * A user without a tenant is refused: nothing here could say what that user may see. No workspace is a fair answer;
 * one alone may come as plain text, as Keycloak sends an attribute that is not marked as multivalued.
 */
export function tenancyOf(claims: Record<string, unknown>): Tenancy {
  const tenant = claims.tenant_id;
  if (typeof tenant !== 'string' || !IDENTIFIER.test(tenant)) {
    throw new AuthenticationError('o Keycloak não informou um tenant_id válido para este usuário');
  }
  const given = claims.workspace_ids ?? [];
  const workspaces = Array.isArray(given) ? given : [given];
  if (!workspaces.every(each => typeof each === 'string' && IDENTIFIER.test(each))) {
    throw new AuthenticationError('o Keycloak informou workspace_ids inválidos para este usuário');
  }
  return { tenant_id: tenant, workspace_ids: [...new Set<string>(workspaces)].sort() };
}
