// SPDX-License-Identifier: GPL-2.0-only
/*
 * unwind_mix.cc - never ends; spends its time in as many kinds of C++ frames as fit on a page: virtual and inlined functions, templates,
 * exceptions on their way, callbacks through C, aligned and variable frames, recursion.
 */
#include <algorithm>
#include <alloca.h>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

static volatile unsigned long sink;

struct Shape {
	virtual ~Shape() = default;
	virtual unsigned long area(unsigned long n) const = 0;
};

struct Square : Shape {
	unsigned long area(unsigned long n) const override { return n * n; }
};

struct Tree : Shape {
	std::unique_ptr<Shape> left, right;

	unsigned long area(unsigned long n) const override
	{
		return left ? left->area(n + 1) + right->area(n + 2) : n;
	}
};

static std::unique_ptr<Shape> grow(int depth)
{
	if (!depth)
		return std::make_unique<Square>();
	auto tree = std::make_unique<Tree>();
	tree->left = grow(depth - 1);
	tree->right = grow(depth - 1);
	return tree;
}

static void thrower(int depth)
{
	std::string local(depth, 'x');

	if (!depth)
		throw std::runtime_error(local);
	thrower(depth - 1);
	sink += local.size();
}

static int compare(const void *a, const void *b)
{
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

__attribute__((noinline)) static void aligned(int n)
{
	alignas(64) char buffer[256];
	char *more = static_cast<char *>(alloca(n * 16));

	memset(buffer, n, sizeof(buffer));
	memset(more, n, n * 16);
	sink += buffer[n & 255] + more[n];
	if (n)
		aligned(n - 1);
}

int main()
{
	std::vector<int> numbers(5000);
	std::map<std::string, int> names;
	std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };

	for (unsigned seed = 1;; seed++) {
		for (auto &n : numbers)
			n = rand_r(&seed);
		std::sort(numbers.begin(), numbers.end(), std::greater<int>());
		qsort(numbers.data(), numbers.size(), sizeof(int), compare);
		sink += grow(8)->area(seed);
		for (int i = 0; i < 20; i++)
			try {
				thrower(20);
			} catch (const std::exception &e) {
				sink += strlen(e.what());
			}
		for (int i = 0; i < 500; i++)
			names[std::to_string(numbers[i])]++;
		sink += names.size();
		names.clear();
		sink += std::regex_search("aaaaaaaaaaaaaaaaab", std::regex("(a|aa)*c"));
		for (int i = 0; i < 20; i++)
			aligned(30);
		sink += fib(18);
	}
}
