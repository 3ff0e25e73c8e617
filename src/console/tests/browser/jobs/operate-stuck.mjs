// An operator finds a message that is stuck, sees why, and has it tried again with a note.
import assert from 'node:assert/strict';

export const visitor = 'operator';

export async function run({ page, base, facts, shown, leads }) {
  await page.goto(`${base}/console/`);
  assert.match(page.url(), /\/console\/overview/);
  await shown('overview');
  await leads(() => page.locator('.tiles a', { hasText: 'Klärungsfälle' }).click());
  await shown('parked');
  await leads(() => page.locator(`tbody a[href*="${facts.message}"]`).click());
  assert.match(await page.locator('.timeline').innerText(), /zur Klärung zurückgestellt/);
  await shown('message');
  await page.fill('#note-resend', 'nach Rücksprache');
  await leads(() => page.locator('details.act button', { hasText: 'Erneut versuchen' }).click());
  assert.match(await page.locator('[role=status]').innerText(), /noch einmal versucht/);
  await shown('resent');
  await page.goto(`${base}/console/audit?lang=de`);
  assert.match(await page.locator('table').innerText(), /nach Rücksprache/);
  await shown('audit');
}
