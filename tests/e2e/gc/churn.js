// SPDX-License-Identifier: GPL-2.0-only
// churn.js - makes garbage, keeps some of it for a while, and asks for full collections now and then (--expose-gc).
'use strict';

let kept = [];

for (let turn = 0; turn < 400; turn++) {
	for (let i = 0; i < 8000; i++) {
		const made = { number: i, list: [i, i + 1] };

		if (i % 20 === 0)
			kept.push(made);
	}
	if (kept.length > 60000)
		kept = kept.slice(45000);
	if (turn % 100 === 99)
		global.gc();
}
