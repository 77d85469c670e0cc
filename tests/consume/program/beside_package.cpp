// tests/consume/program/beside_package.cpp — a program of the package, linked with a source of the single header.
#include <kith/kith.hpp>

#include <array>
#include <string>

struct Page {
    std::string id;
    std::array<float, 4> vector{};
};

using Pages = kith::Schema<Page, kith::Key<&Page::id>, kith::VectorField<&Page::vector, kith::L2>>;

bool works_elsewhere();

int main() {
    kith::Collection<Pages> pages(kith::in_memory);
    pages.insert(Page{"first", {1, 2, 3, 4}});
    return pages.size() == 1 && works_elsewhere() ? 0 : 1;
}
