import { createBackendModule } from '@backstage/backend-plugin-api';
import { AuthorizeResult, isPermission, type PolicyDecision } from '@backstage/plugin-permission-common';
import type { PermissionPolicy, PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import {
  catalogEntityCreatePermission,
  catalogEntityDeletePermission,
  catalogLocationCreatePermission,
  catalogLocationDeletePermission,
} from '@backstage/plugin-catalog-common/alpha';

const KEPT_IN_GIT = [
  catalogEntityCreatePermission,
  catalogEntityDeletePermission,
  catalogLocationCreatePermission,
  catalogLocationDeletePermission,
];

/** Who signed in reads and runs templates; what the catalogue holds changes in Git alone. */
export class GitOpsPolicy implements PermissionPolicy {
  async handle(request: PolicyQuery, user?: PolicyQueryUser): Promise<PolicyDecision> {
    const kept = KEPT_IN_GIT.some(each => isPermission(request.permission, each));
    return { result: user && !kept ? AuthorizeResult.ALLOW : AuthorizeResult.DENY };
  }
}

export const gitOpsPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'gitops-policy',
  register(reg) {
    reg.registerInit({
      deps: { policy: policyExtensionPoint },
      async init({ policy }) {
        policy.setPolicy(new GitOpsPolicy());
      },
    });
  },
});
