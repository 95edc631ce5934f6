mod staging;
