// SPDX-License-Identifier: GPL-2.0-only
// Churn.java - makes garbage, keeps some of it for a while, and asks for full collections now and then.

import java.util.ArrayList;
import java.util.List;

public class Churn {
	public static void main(String[] args) {
		List<byte[]> kept = new ArrayList<>();

		for (int turn = 0; turn < 3000; turn++) {
			for (int i = 0; i < 200; i++)
				kept.add(new byte[1000 + turn % 7 * 300]);
			if (kept.size() > 12000)
				kept.subList(0, 9000).clear();
			if (turn % 1000 == 999)
				System.gc();
		}
	}
}
