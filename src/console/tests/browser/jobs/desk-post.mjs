// A clerk looks at a letter that perhaps belongs to a case, sees what is in it, and files it.
import assert from 'node:assert/strict';

export const visitor = 'clerk';

export async function run({ page, base, facts, shown, leads, as }) {
  await page.goto(`${base}/console/post?lang=de`);
  await shown('list');
  await leads(() => page.locator(`a[href*="${facts.letter}"]`).first().click());
  await shown('letter');
  // The browser's own viewer of PDF loads what lies in the browser: only that it is called is looked at.
  const pdf = page.getByRole('listitem').filter({ hasText: 'Brief.pdf' }).getByRole('link', { name: 'ansehen' });
  const preview = await page.request.get(new URL(await pdf.getAttribute('href'), base).href);
  assert.match(await preview.text(), /<iframe class="preview" src="\/console\/documents\//);
  await leads(() => page.getByRole('listitem').filter({ hasText: 'Notiz.txt' }).getByRole('link', { name: 'ansehen' }).click());
  assert.match(await page.locator('pre.preview').innerText(), /Bitte um Rückruf/);
  await shown('preview');
  await page.goto(`${base}/console/post/${facts.letter}?lang=de`);
  await page.getByLabel('Vorgang suchen').fill('A-9001');
  await leads(() => page.locator('main').getByRole('button', { name: 'Suchen' }).click());
  await page.locator(`input[value="${facts.case}"]`).first().check();
  await leads(() => page.getByRole('button', { name: 'Zuordnen', exact: true }).click());
  assert.match(await page.locator('[role=status]').first().innerText(), /Zugeordnet/);
  await leads(() => page.getByRole('link', { name: /Nutzungsänderung Scheune/ }).first().click());
  assert.match(await page.locator('main').innerText(), /Nachtrag zur Scheune/);
  await shown('case');
  const other = await as('clerk-70');
  const answer = await other.page.goto(`${base}/console/cases/${facts.case}?lang=de`);
  assert.equal(answer.status(), 404);
}
