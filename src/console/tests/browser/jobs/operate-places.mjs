// Whoever has all roles sees every place of the operators.
import assert from 'node:assert/strict';

export const visitor = 'all';

export async function run({ page, base, shown }) {
  for (const place of ['', 'messages', 'messages/resend', 'adapters', 'schemas', 'figures', 'alerts', 'evidence', 'retention', 'retention/holds', 'dispositions', 'tokens/new']) {
    const answer = await page.goto(`${base}/console/${place}?lang=de`);
    assert.equal(answer.status(), 200, place);
    await shown(place.replace('/', '-') || 'start');
  }
}
