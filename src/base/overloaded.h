// base/overloaded.h: a visitor made of lambdas, one for each alternative of a variant.
#pragma once

namespace marque {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace marque
